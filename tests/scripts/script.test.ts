import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as fc from "fast-check";

import { taskOf } from "../../remote/tasks";
import { quote, readSecret, renderCommand, renderStdin, taskFiles, taskNames } from "../../remote/script";

const command = {
  task: "claim" as const,
  action: "create" as const,
  step: "node-1-claim",
  title: "VMID 100 is free or ours",
  lock: "guest-100",
  boundSeconds: 300,
  args: { VMID: 100, NAME: "node-1" },
};

describe("quote", () => {
  it("passes any text through a POSIX shell unchanged", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0") && !/[\r\n]$/.test(text)),
        (text) => {
          expect(execFileSync("sh", ["-c", `printf %s ${quote(text)}`], { encoding: "utf8" })).toBe(text);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("renderCommand", () => {
  it("shows the arguments and nothing of the script", () => {
    expect(renderCommand(command)).toBe(
      [
        "# VMID 100 is free or ours",
        "export STEP='node-1-claim'",
        "export ACTION='create'",
        "export LOCK='guest-100'",
        "export BOUND='300'",
        "export VMID='100'",
        "export NAME='node-1'",
        "exec sh -s",
      ].join("\n"),
    );
  });

  it("refuses an argument that the task does not have, and a value of an invalid form", () => {
    const args = { ...command.args, VMID: "100;reboot", ADDRESS: "192.168.2.20" };
    expect(() => renderCommand({ ...command, args })).toThrow(
      'the task claim does not accept these arguments: VMID may not be "100;reboot"; ADDRESS is not an argument of this task',
    );
  });
});

describe("readSecret", () => {
  it("reads what was rendered, and nothing for an unknown name", () => {
    const secrets = { TOKEN: "a\n\nb: 'c'", EMPTY: "" };
    const stdin = renderStdin("install-k3s", { secrets });
    expect(readSecret(stdin, "TOKEN")).toBe(secrets.TOKEN);
    expect(readSecret(stdin, "EMPTY")).toBe("");
    expect(readSecret(stdin, "AGENT_TOKEN")).toBeUndefined();
    expect(readSecret("", "TOKEN")).toBeUndefined();
  });
});

describe("renderStdin", () => {
  test("no script has a line in a here-document that looks like a comment, because it would not travel", () => {
    const scripts = path.join(__dirname, "../../scripts");
    const files = fs.readdirSync(scripts, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".sh"));
    const documents = files.flatMap((file) => [
      ...fs.readFileSync(path.join(scripts, file), "utf8").matchAll(/<<-?'?([A-Z]+)'?.*\n([^]*?\n)[ \t]*\1$/gm),
    ]);
    expect(documents.length).toBeGreaterThan(3);
    expect(documents.filter(([, , text]) => /^[ \t]*#/m.test(text!)).map(([document]) => document)).toEqual([]);
  });

  test.each(taskNames)("%s travels without comments, so that a changed one changes no step", (task) => {
    const { files = {} } = taskOf(task);
    const others = Object.entries(taskFiles(task)).flatMap(([name, text]) => (isShell(files[name]) ? [] : [text]));
    const shell = others.reduce((text, other) => text.replace(other, ""), renderStdin(task));
    expect(shell.match(/^[ \t]*#(?!!).*$/gm) ?? []).toEqual([]);
  });

  it("refuses a value that would end its own here-document", () => {
    expect(() => renderStdin("install-k3s", { secrets: { TOKEN: "a\nPROXMOX_K3S_END\nb" } })).toThrow(
      "PROXMOX_K3S_END",
    );
  });
});

describe("the runner", () => {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "runners-"));
  afterAll(() => fs.rmSync(scratch, { recursive: true }));

  /** A rendered script with the runner's paths below a scratch folder, and a function that runs it on this machine. */
  function prepare(task: string, changed: Record<string, string> = {}) {
    const root = fs.mkdtempSync(path.join(scratch, "runner-"));
    for (const dir of ["run", "log"]) fs.mkdirSync(path.join(root, dir), { recursive: true });
    const runner = fs
      .readFileSync(path.join(__dirname, "../../scripts/lib/runner.sh"), "utf8")
      .replaceAll("/run/", `${root}/run/`)
      .replaceAll("/var/log/proxmox-k3s", `${root}/log`);
    const lib = fs.readFileSync(path.join(__dirname, "../../scripts/lib/task.sh"), "utf8");
    const input = `${runner}cat >"$WORK/secret.TOKEN" <<'END'\nhunter2\nEND\ncat >"$WORK/task" <<'END'\n${lib}\n${task}\nEND\nmain\n`;
    const env = { ...process.env, STEP: "test-step", ACTION: "create", LOCK: "test", BOUND: "20", ...changed };
    return { root, input, env, command: "sh -s" };
  }

  function run(
    task: string,
    changed: Record<string, string> = {},
  ): { code: number | null; stdout: string; stderr: string; root: string } {
    const { root, input, env } = prepare(task, changed);
    const result = spawnSync("sh", ["-s"], { input, encoding: "utf8", env });
    return { code: result.status, stdout: result.stdout, stderr: result.stderr, root };
  }

  it("prints only the outcome on stdout, and the progress on stderr", () => {
    const result = run('say working\noutcome "done $(cat "$WORK/secret.TOKEN" | wc -c)"');
    const stdout = "done 8\nproxmox-k3s: test-step create done\n";
    expect(result).toMatchObject({ code: 0, stdout, stderr: "working\n" });
  });

  it("leaves only its log behind", () => {
    const { root } = run("stat -c %a \"$WORK/secret.TOKEN\"\nfail 'no luck' 'try again'");
    expect(fs.readdirSync(path.join(root, "run"))).toEqual(["proxmox-k3s.locks"]);
    expect(fs.statSync(path.join(root, "run/proxmox-k3s.locks")).mode & 0o777).toBe(0o700);
    expect(fs.readFileSync(path.join(root, "log/test-step.log"), "utf8")).toBe(
      "600\n\nerror: test-step: no luck\nnext:  try again\n",
    );
  });

  it("fails with the step, the cause and the next command", () => {
    const result = run("fail 'no luck' 'try again'");
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toBe("\nerror: test-step: no luck\nnext:  try again\n");
  });

  it("stops a task at its time limit, with an error", () => {
    const result = run("say waiting\nsleep 60", { BOUND: "1" });
    expect(result.code).toBe(124);
    expect(result.stderr).toContain("error: test-step: not finished within 1 s");
  });

  it("treats a failing command in the task as a failure", () => {
    expect(run("false\noutcome unreachable")).toMatchObject({ code: 1, stdout: "" });
  });

  const leftovers = (root: string): string[] =>
    fs.readdirSync(path.join(root, "run")).filter((name) => name !== "proxmox-k3s.locks");

  it("leaves no files and fails if its reader is gone", () => {
    const { root, command, input, env } = prepare('outcome "$(cat "$WORK/secret.TOKEN")"; sleep 0.5');
    // The reader of stdout exits before the answer arrives.
    const result = spawnSync("bash", ["-c", `set -o pipefail; ${command} | true; echo "\${PIPESTATUS[0]}"`], {
      input,
      encoding: "utf8",
      env,
    });
    expect(result.stdout.trim()).not.toBe("0");
    expect(leftovers(root)).toEqual([]);
  });

  it.each([
    ["in the runner", (text: string) => text.slice(0, text.indexOf("main() {"))],
    ["after a secret", (text: string) => text.slice(0, text.indexOf('cat >"$WORK/task"'))],
    ["before the call", (text: string) => text.replace(/\nmain\n$/, "\n")],
  ])("runs nothing, keeps nothing and fails if it is cut %s", (_, cut) => {
    const { root, input, env } = prepare("touch ran");
    const result = spawnSync("sh", ["-s"], { input: cut(input), encoding: "utf8", env });
    expect(result.status).not.toBe(0);
    expect(leftovers(root)).toEqual([]);
    expect(fs.existsSync(path.join(root, "log/test-step.log"))).toBe(false);
  });
});

/** All its parts are shell. */
function isShell(content: readonly string[] | { readonly text: string } = []): boolean {
  return !("text" in content) && content.every((file) => file.endsWith(".sh"));
}
