import { type Finding, fail, HOST_CHECKS, ok, parseFindings, skip, warn } from "../../../cli/doctor/finding";
import { isHealthy, renderJson, renderReport } from "../../../cli/doctor/report";

const findings: readonly Finding[] = [
  ok("api", "it answers"),
  warn("sysctls", "lower than it should be", "sysctl --system"),
  fail("host-key", "it is another one", "compare it on the host"),
  skip("host", "the checks did not run on the host"),
];

describe("what the script on the host answers", () => {
  it("is read with and without a remedy, even without the last tab", () => {
    const rest = HOST_CHECKS.filter((check) => !["bridge", "template", "vmid"].includes(check));
    const text = [
      "ok\tbridge\tvmbr0\t\nfail\ttemplate\tlocal:vztmpl/x is not there\tpveam download local x\nok\tvmid\tfree",
      ...rest.map((check) => `ok\t${check}\twell`),
    ];
    expect(parseFindings(text.join("\n"))).toEqual([
      ok("bridge", "vmbr0"),
      fail("template", "local:vztmpl/x is not there", "pveam download local x"),
      ok("vmid", "free"),
      ...rest.map((check) => ok(check, "well")),
    ]);
  });

  it.each([
    ["nothing at all", HOST_CHECKS],
    ["all but one", HOST_CHECKS.slice(0, 1)],
  ])("is refused if checks did not report: %s", (_, silent) => {
    const text = HOST_CHECKS.filter((check) => !silent.includes(check)).map((check) => `ok\t${check}\twell`);
    expect(() => parseFindings(text.join("\n"))).toThrow(
      `these checks on the Proxmox host did not report: ${silent.join(", ")}`,
    );
  });

  it.each(["the Proxmox host is ready", "skip\thost\tno", "ok\tbridge"])("is refused if it is not one: %j", (text) => {
    expect(() => parseFindings(text)).toThrow(`not a finding: ${text}`);
  });
});

describe("the report", () => {
  it("has a line for each finding, the remedy below it, and the count", () => {
    expect(renderReport(findings)).toBe(
      [
        "✓ api       it answers",
        "! sysctls   lower than it should be",
        "            → sysctl --system",
        "✗ host-key  it is another one",
        "            → compare it on the host",
        "– host      not checked: the checks did not run on the host",
        "",
        "1 passed, 1 with a warning, 1 failed, 1 not checked",
        "",
      ].join("\n"),
    );
  });

  it("has the same findings as JSON", () => {
    expect(JSON.parse(renderJson(findings))).toEqual({ ok: false, findings });
  });

  it("is unhealthy with a failure, but not with a warning", () => {
    expect(isHealthy(findings)).toBe(false);
    expect(isHealthy(findings.slice(0, 2))).toBe(true);
  });
});
