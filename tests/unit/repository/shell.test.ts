import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { renderGate } from "../../../remote/hostGate";
import { renderStdin, taskNames } from "../../../remote/script";
import { taskOf } from "../../../remote/tasks";

/* All shell: what the program sends, as it is sent, and the files of all else. */

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

test.each(taskNames)("the task %s passes shellcheck, assembled as it is sent", (task) => {
  const inputs = taskOf(task).args.includes("CLUSTER_ID") ? { CLUSTER_ID: "0123456789abcdef" } : {};
  // 2034: variables for the parts that follow; 2153, 2154: arguments come from the command text; 1090, 1091: files of the host.
  const options = ["-s", "sh", "-e", "SC2034,SC2153,SC2154,SC1090,SC1091"];
  for (const text of [...hereDocuments(renderStdin(task, { inputs })), renderStdin(task)])
    expect(problems(text, ...options)).toBe("");
});

test("the gate of the Proxmox host compiles as it is installed, in Perl's taint mode and with its warnings", () => {
  const { status, stderr } = spawnSync("/usr/bin/perl", ["-Twc"], { input: renderGate(), encoding: "utf8" });
  expect([status, stderr]).toEqual([0, "- syntax OK\n"]);
});

test("these are the lab's, the bench's and the build's", () => {
  expect(standing).toEqual(expect.arrayContaining([".ci/run", "bench/by-hand.sh", "lab/host/init.sh"]));
});

/** The shell scripts inside a rendered stdin; unit files and settings are not shell. */
function hereDocuments(stdin: string): string[] {
  const documents = [
    ...stdin.matchAll(/^cat >"\$WORK\/(task|leave|.*\.sh)" <<'PROXMOX_K3S_END'\n([\s\S]*?)^PROXMOX_K3S_END$/gm),
  ];
  return documents.map((match) => match[2] ?? "");
}
