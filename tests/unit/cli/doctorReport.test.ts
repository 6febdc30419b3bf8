import { judgePrivileges, noAnswer } from "../../../cli/doctor/api";
import { type Finding, fail, HOST_CHECKS, ok, parseFindings, skip, warn, withState } from "../../../cli/doctor/finding";
import { isHealthy, renderJson, renderReport } from "../../../cli/doctor/report";
import { HOST_ROLE, POOL_ROLE } from "../../../plan/privileges";

const findings: readonly Finding[] = [
  ok("api", "it answers"),
  warn("sysctls", "lower than it should be", "sysctl --system"),
  fail("host-key", "it is another one", "compare it on the host"),
  skip("host", "the checks did not run on the host"),
];

describe("the host script's output", () => {
  it("is read with and without a remedy, also without the last tab", () => {
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

  it.each(["the Proxmox host is ready", "skip\thost\tno", "ok\tbridge", "warn\tcreation\tit\trecover\t31x"])(
    "is refused if it is not one: %j",
    (text) => {
      expect(() => parseFindings(text)).toThrow(`not a finding: ${text}`);
    },
  );
});

test("a guest whose set-up never finished needs recover only if the state does not have it", () => {
  const recover = "if no pulumi up is running: npx proxmox-k3s recover, then pulumi up";
  const cutOff = (vmId: number): Finding => ({
    ...warn("creation", "a guest was created, not finished", recover),
    vmId,
  });
  const found = [ok("vmid", "guest 311 is free"), cutOff(311), cutOff(313)];
  expect(withState(found, new Set([311])).map(({ remedy }) => remedy)).toEqual([
    undefined,
    "pulumi up, which goes on with it",
    recover,
  ]);
});

describe("an API that cannot be used", () => {
  const at = { endpoint: "https://192.168.2.167:8006/", host: "192.168.2.167" };

  it.each([
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /^scp root@192\.168\.2\.167:\/etc\/pve\/pve-root-ca\.pem/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", /^scp root@/],
    [
      "ERR_TLS_CERT_ALTNAME_INVALID",
      /^set proxmox\.endpoint to one of the names or addresses that the certificate has/,
    ],
    ["CERT_HAS_EXPIRED", /^renew it: pvecm updatecerts --force/],
    ["CERT_NOT_YET_VALID", /^set the clock/],
  ])("has a remedy for its certificate: %s", (code, remedy) => {
    const [api, tls] = noAnswer(Object.assign(new Error("no"), { code }), at);
    expect([api!.level, tls]).toEqual([
      "ok",
      fail("tls", "the API's certificate is not trusted: no", expect.stringMatching(remedy) as string),
    ]);
  });

  it("has another one if nothing answers", () => {
    expect(noAnswer(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }), at)).toMatchObject([
      { check: "api", level: "fail", seen: "https://192.168.2.167:8006/ does not answer: refused" },
      { check: "tls", level: "skip" },
    ]);
  });
});

describe("privileges that a token lacks", () => {
  const pool = ["VM.Allocate", "VM.PowerMgmt", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Disk"];
  const all = [...pool, "VM.Config.Network", "VM.Config.Options"];
  const roles = [
    { role: POOL_ROLE, path: "/pool/kurt" },
    { role: HOST_ROLE, path: "/" },
  ];

  it("are named once for each path; a role that was not granted is granted to the user and to the token", () => {
    expect(judgePrivileges("pulumi@pve!k3s", [{ path: "/pool/kurt", privileges: all }], roles)).toEqual(
      fail(
        "privileges",
        `pulumi@pve!k3s lacks ${all.join(", ")} at /pool/kurt`,
        `pveum acl modify /pool/kurt --users 'pulumi@pve' --tokens 'pulumi@pve!k3s' --roles PulumiK3s (docs/by-hand.md, "An API token")`,
      ),
    );
  });

  it("are added to a role that has only some", () => {
    const lacking = [
      { path: "/pool/kurt", privileges: ["VM.PowerMgmt"] },
      { path: "/sdn/zones/localnetwork/vmbr0", privileges: ["SDN.Use"] },
    ];
    const { seen, remedy } = judgePrivileges("pulumi@pve!k3s", lacking, roles);
    expect(seen).toBe("pulumi@pve!k3s lacks VM.PowerMgmt at /pool/kurt; SDN.Use at /sdn/zones/localnetwork/vmbr0");
    expect(remedy).toContain('pveum role modify PulumiK3s --append 1 --privs "VM.PowerMgmt"; pveum role modify');
  });

  it("may be none", () => {
    expect(judgePrivileges("pulumi@pve!k3s", [], roles).level).toBe("ok");
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
