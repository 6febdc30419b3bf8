import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/* An `ip` that fails as told stands in for moments that a test cannot bring about. */

const root = path.join(__dirname, "../../..");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ip-"));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Removes a lab's links by an `ip` that says this and fails; answers what comes of it. */
function release(stderr: string): { status: number | null; stderr: string } {
  fs.writeFileSync(path.join(folder, "ip"), `#!/bin/sh\necho '${stderr}' >&2\nexit 2\n`, { mode: 0o755 });
  const code = `require("./lab/host/network.ts").releaseSubnet(2)`;
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
  return spawnSync(process.execPath, ["--import", "tsx", "-e", code], { cwd: root, env, encoding: "utf8" });
}

it.each(['Cannot find device "pk3s2"', "RTNETLINK answers: No such device"])(
  "a lab's links may go with its namespace at any moment of their removal: %s",
  (stderr) => expect(release(stderr)).toMatchObject({ status: 0, stderr: "" }),
);

it("any other failure to remove them is one", () => {
  const { status, stderr } = release("RTNETLINK answers: Operation not permitted");
  expect([status, stderr]).toEqual([1, expect.stringContaining("Operation not permitted")]);
});
