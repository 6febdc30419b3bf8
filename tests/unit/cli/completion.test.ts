import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { renderCompletion, type Shell } from "../../../cli/completion/command";
import { completionTable } from "../../../cli/completion/table";
import { program } from "../../../cli/program";

/* The scripts complete in the shells themselves. Every machine has bash; zsh and fish are tested only if they are installed. */

const repo = path.join(__dirname, "../../..");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "completion-"));
const fileOf = (shell: Shell): string => path.join(folder, `completion.${shell}`);
const scripts = Object.fromEntries(
  (["bash", "zsh", "fish"] as const).map((shell) => [shell, renderCompletion(shell, program)]),
) as Record<Shell, string>;
const isHere = (shell: Shell): boolean => !spawnSync(shell, ["--version"]).error;

beforeAll(() => {
  for (const [shell, script] of Object.entries(scripts)) fs.writeFileSync(fileOf(shell as Shell), script);
  // The only part of Pulumi that names need: which stack is selected.
  fs.writeFileSync(path.join(folder, "pulumi"), "#!/bin/sh\necho homelab\n", { mode: 0o755 });
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** How to ask each shell for the completions of a line. The line's words are in `$@`, and in fish in `$argv`. */
const ASK: Readonly<Record<Shell, { args: string[]; code: string }>> = {
  bash: {
    args: ["--norc", "-c"],
    code: `COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _proxmox_k3s; printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  // Only a shell on a terminal runs the end of zsh's own completion; this replacement prints what it gets.
  zsh: {
    args: ["-f", "-c"],
    code: `compadd() { [[ $1 == -l ]] && print -lr -- $values || print -r -- $1 }; _default() { : }
      words=("$@") CURRENT=$# PREFIX=$@[-1]; _proxmox_k3s`,
  },
  fish: { args: ["--no-config", "-c"], code: `complete -C "$argv" | string split -f 1 \\t` },
};

function complete(shell: Shell, ...words: string[]): string[] {
  const { args, code } = ASK[shell];
  const load = shell === "zsh" ? "compdef() { : }; " : "";
  const given = shell === "fish" ? words : [shell, ...words];
  const { stdout, stderr } = spawnSync(shell, [...args, `${load}. ${fileOf(shell)}\n${code}`, ...given], {
    cwd: repo,
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter(Boolean);
}

describe.each((Object.keys(scripts) as Shell[]).filter(isHere))("%s", (shell) => {
  const cases: [line: string[], answers: string[]][] = [
    [["proxmox-k3s", "re"], ["recover"]],
    [
      ["npx", "proxmox-k3s", "s"],
      ["scale", "ssh", "status"],
    ],
    [
      ["npx", "proxmox-k3s", "node", "re"],
      ["rebuild", "retire"],
    ],
    [["npx", "proxmox-k3s", "node", "retire", "NODE", "--re"], ["--replace"]],
    [["npx", "proxmox-k3s", "node", "rebuild", "NODE", "--re"], []],
    [
      ["npx", "proxmox-k3s", "init", "root@HOST", "--kind", ""],
      ["lxc", "mixed", "vm"],
    ],
    [["npx", "proxmox-k3s", "init", "--kind", "vm", "--ki"], ["--kind"]],
    [["npx", "proxmox-k3s", "github", "issue", "--key", "comment", "--cl"], ["--close"]],
    [
      ["npx", "proxmox-k3s", "completion", ""],
      ["bash", "fish", "help", "zsh"],
    ],
    [["npx", "proxmox-k3s", "ssh", "NODE", "--", "--st"], []],
    [["npx", "pr"], ["proxmox-k3s"]],
    [["npx", "other", "zz"], []],
  ];
  it.each(cases)("%j", (line, answers) => expect(complete(shell, ...line).sort()).toEqual(answers));

  it("--kind=v", () => {
    // Bash treats the = as a separate word, and keeps what is before it.
    const [line, answer] = shell === "bash" ? [["--kind", "=", "v"], "vm"] : [["--kind=v"], "--kind=vm"];
    expect(complete(shell, "npx", "proxmox-k3s", "init", ...line)).toEqual([answer]);
  });
});

it("the names of nodes, pools and stacks are from the program itself", () => {
  expect(complete("bash", "npx", "proxmox-k3s", "node", "rebuild", "k3s-w")).toEqual([
    "k3s-worker-01",
    "k3s-worker-02",
  ]);
  expect(complete("bash", "npx", "proxmox-k3s", "scale", "w")).toEqual(["worker"]);
  expect(complete("bash", "npx", "proxmox-k3s", "doctor", "--stack", "h")).toEqual(["homelab"]);
});

it("no text can end its shell's quotes", () => {
  const awk = fs.readFileSync(path.join(repo, "cli/completion/answers.awk"), "utf8");
  expect([completionTable(program), awk].join().match(/'|\\\\|\\$/gm)).toBeNull();
});

it("the script for bash passes shellcheck", () => {
  // Descriptions have typographic apostrophes, and are data.
  const { stdout, error } = spawnSync("shellcheck", ["-e", "SC1112", fileOf("bash")], { encoding: "utf8" });
  if (error) throw new Error("shellcheck is missing: apt-get install shellcheck");
  expect(stdout).toBe("");
});

/* This is less than a run in the shell: it does not show what the script does. */
if (!isHere("zsh"))
  it("zsh is not on this machine: at least bash finds no error in its script's syntax", () => {
    expect(spawnSync("bash", ["-n", fileOf("zsh")], { encoding: "utf8" }).stderr).toBe("");
  });
if (!isHere("fish"))
  it("fish is not on this machine: at least each block of its script is closed", () => {
    const source = fs.readFileSync(path.join(repo, "cli/completion/completion.fish"), "utf8");
    const count = (form: RegExp): number => source.match(form)!.length;
    expect(count(/^\s*(function|if|for|while|switch|begin)\b/gm)).toBe(count(/^\s*end$/gm));
  });
