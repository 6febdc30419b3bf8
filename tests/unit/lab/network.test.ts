import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/* An `ip` that fails in a given way is a double for moments that a test cannot cause. */

const root = path.join(__dirname, "../../..");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ip-"));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Removes the links of the lab "one" with an `ip` that runs this shell; returns the result. */
function release(ip: string): { status: number | null; stdout: string; stderr: string } {
  fs.writeFileSync(path.join(folder, "ip"), `#!/bin/sh\n${ip}\n`, { mode: 0o755 });
  const code = `require("./lab/host/network.ts").releaseSubnet("one", 2)`;
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
  return spawnSync(process.execPath, ["--import", "tsx", "-e", code], { cwd: root, env, encoding: "utf8" });
}

it.each(['Cannot find device "pk3s2"', 'Device "pk3s2" does not exist.', "RTNETLINK answers: No such device"])(
  "a lab's links may vanish with its namespace at any moment of their removal: %s",
  (said) => {
    const fails = `echo '${said}' >&2; exit 2`;
    expect(release(fails)).toMatchObject({ status: 0, stderr: "" });
    expect(release(`case $* in *show*) echo '[{"ifalias":"one"}]' ;; *) ${fails} ;; esac`)).toMatchObject({
      status: 0,
      stderr: "",
    });
  },
);

it("any other failure to remove them is an error", () => {
  const { status, stderr } = release("echo 'RTNETLINK answers: Operation not permitted' >&2; exit 2");
  expect([status, stderr]).toEqual([1, expect.stringContaining("Operation not permitted")]);
});

it.each([
  ["its own", "one", ["-json link show dev pk3s2", "link delete pk3s2"]],
  ["not those of a lab that took its network while it was off", "two", ["-json link show dev pk3s2"]],
])("removes %s", (_, alias, calls) => {
  const log = path.join(folder, "calls");
  fs.rmSync(log, { force: true });
  expect(release(`echo "$*" >>${log}; echo '[{"ifalias":"${alias}"}]'`)).toMatchObject({ status: 0, stderr: "" });
  expect(fs.readFileSync(log, "utf8").trim().split("\n")).toEqual(calls);
});
