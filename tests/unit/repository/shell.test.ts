import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { renderGate } from "../../../remote/hostGate";

/* What the program sends is checked as it is sent, in tests/unit/remote/script.test.ts; here is all other shell. */

const repo = path.join(__dirname, "../../..");
const read = (file: string): string => fs.readFileSync(path.join(repo, file), "utf8");
const standing = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: repo, encoding: "utf8" })
  .split("\n")
  .filter((file) => file && !file.startsWith("scripts/") && fs.existsSync(path.join(repo, file)))
  .filter((file) => file.endsWith(".sh") || /^#!.*\b(ba|da)?sh\b/.test(read(file).slice(0, 40)));

/** What shellcheck has to say. @throws Error if it is not installed */
function problems(input: string, ...options: string[]): string {
  const { stdout, error } = spawnSync("shellcheck", [...options, "-"], { input, encoding: "utf8" });
  if (error) throw new Error("shellcheck is missing: apt-get install shellcheck");
  return stdout;
}

test.each(standing)("%s passes shellcheck", (file) => expect(problems(read(file))).toBe(""));

test("the gate of the Proxmox host compiles as it is installed, in Perl's taint mode and with its warnings", () => {
  const { status, stderr } = spawnSync("/usr/bin/perl", ["-Twc"], { input: renderGate(), encoding: "utf8" });
  expect([status, stderr]).toEqual([0, "- syntax OK\n"]);
});

test("these are the lab's, the bench's and the build's", () => {
  expect(standing).toEqual(expect.arrayContaining([".ci/run", "bench/by-hand.sh", "lab/host/init.sh"]));
});
