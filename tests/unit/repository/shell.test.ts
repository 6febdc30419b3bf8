import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

import { renderGate } from "../../../remote/hostGate";
import { taskNames } from "../../../remote/script";
import { taskOf } from "../../../remote/tasks";

/* All shell: the program's scripts as it sends them, and all other files. */

const repo = path.join(__dirname, "../../..");
const read = (file: string): string => fs.readFileSync(path.join(repo, file), "utf8");
const standing = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: repo, encoding: "utf8" })
  .split("\n")
  .filter((file) => file && !file.startsWith("scripts/") && fs.existsSync(path.join(repo, file)))
  .filter((file) => file.endsWith(".sh") || /^#!.*\b(ba|da)?sh\b/.test(read(file).slice(0, 40)));

/** What shellcheck once found clean, by the sum of its version, the options and the text; eslint and prettier keep the same. */
const CLEAN = path.join(repo, "node_modules/.cache/proxmox-k3s/shellcheck");
const version = spawnSync("shellcheck", ["--version"], { encoding: "utf8" });
if (version.error) throw new Error("shellcheck is missing: apt-get install shellcheck");

/** Shellcheck's output. */
function problems(input: string, ...options: string[]): string {
  const sum = createHash("sha256")
    .update([version.stdout, ...options, input].join("\0"))
    .digest("hex");
  const kept = path.join(CLEAN, sum);
  if (fs.existsSync(kept)) return "";
  const { status, stdout } = spawnSync("shellcheck", [...options, "-"], { input, encoding: "utf8" });
  if (status !== 0) return stdout || `shellcheck ended with ${status}`;
  fs.mkdirSync(CLEAN, { recursive: true });
  fs.writeFileSync(kept, "");
  return stdout;
}

test("a text with a fault is not clean, also the second time", () => {
  for (let time = 1; time <= 2; time++) expect(problems("#!/bin/sh\nrm $1\n")).toContain("SC2086");
});

test.each(standing)("%s passes shellcheck", (file) => expect(problems(read(file))).toBe(""));

// 2034: variables for the parts that follow; 2153, 2154: arguments come from the command text; 1090, 1091: files of the host.
const SENT = ["-s", "sh", "-e", "SC2034,SC2153,SC2154,SC1090,SC1091"];

/** Each text of shell that travels, assembled as it is sent, but with its comments: shellcheck's directives are among them. */
const sent = new Map<string, string>([["lib/runner", assembled(["lib/runner.sh"])]]);
for (const name of taskNames) {
  const { parts, files = {} } = taskOf(name);
  sent.set(name, assembled(parts.map((part) => `${part}.sh`)));
  for (const content of Object.values(files)) if (isShell(content)) sent.set(content.join(" "), assembled(content));
}

test.each([...sent])("%s passes shellcheck, assembled as it is sent", (_, text) =>
  expect(problems(text, ...SENT)).toBe(""),
);

test("the gate of the Proxmox host compiles as it is installed, in Perl's taint mode and with its warnings", () => {
  const { status, stderr } = spawnSync("/usr/bin/perl", ["-Twc"], { input: renderGate(), encoding: "utf8" });
  expect([status, stderr]).toEqual([0, "- syntax OK\n"]);
});

test("these are the files of the lab, the bench and the build", () => {
  expect(standing).toEqual(expect.arrayContaining([".ci/run", "bench/by-hand.sh", "lab/host/init.sh"]));
});

function assembled(files: readonly string[]): string {
  return files.map((file) => read(`scripts/${file}`)).join("\n");
}

function isShell(content: readonly string[] | { readonly text: string }): content is readonly string[] {
  return !("text" in content) && content.every((file) => file.endsWith(".sh"));
}
