import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { HOST_TASKS, NODE_TASKS, renderGate } from "../../../remote/hostGate";
import { renderCommand, renderStdin } from "../../../remote/script";

const command = (args: Record<string, string>): string =>
  renderCommand({ task: "claim", action: "create", step: "s", title: "t", lock: "l", boundSeconds: 5, args });

describe("the forced command", () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "gate-"));
  const gate = path.join(dir, "gate");
  afterAll(() => fs.rmSync(dir, { recursive: true }));

  // What passes is not run here (it would work on this machine): the gate's last line answers in its place.
  beforeAll(() => {
    const text = renderGate();
    expect(text.trimEnd().endsWith('sh -c "$(cat "$work/command")" <"$work/stdin"')).toBe(true);
    const last = text.trimEnd().lastIndexOf("\n");
    fs.writeFileSync(gate, `${text.slice(0, last)}\necho passed\n`);
  });

  const knock = (original: string, stdin: string) => {
    const result = spawnSync("sh", [gate], {
      input: stdin,
      encoding: "utf8",
      env: { ...process.env, SSH_ORIGINAL_COMMAND: original },
    });
    return result.status === 0 ? result.stdout.trim() : (/gate: (.*)/.exec(result.stderr)?.[1] ?? result.stderr);
  };

  it.each(HOST_TASKS)("lets %s through with any argument and any cluster", (task) => {
    const stdin = renderStdin(task, { inputs: { CLUSTER_ID: "0123456789abcdef" } });
    expect(knock(command({ NAME: "it's\n$(reboot)", VMID: "100" }), stdin)).toBe("passed");
  });

  it.each(NODE_TASKS)("refuses %s, which is for nodes: it brings secrets, or files to wherever it is told", (task) => {
    expect(knock(command({}), renderStdin(task))).toMatch(
      /^the script with the SHA-256 [0-9a-f]{64} is not one of this gate's$/,
    );
  });

  it.each([
    ["a shell", ""],
    ["another command", "rm -rf /"],
    ["a command behind ours", `${command({})}\nreboot`],
    ["a command before ours", `reboot\n${command({})}`],
    ["a command in an export", `export A='x'; reboot\nexec sh -s`],
    ["a substitution outside quotes", `export A=$(reboot)\nexec sh -s`],
    ["sftp", "internal-sftp"],
  ])("refuses %s", (_, original) => {
    expect(knock(original, renderStdin("claim"))).toBe("not a command of proxmox-k3s");
  });

  it("refuses a changed script, also when the change hides in the values at its head", () => {
    const refusal = /^the script with the SHA-256/;
    expect(knock(command({}), `${renderStdin("claim")}reboot\n`)).toMatch(refusal);
    expect(knock(command({}), `export A='x'$(reboot)\n${renderStdin("claim")}`)).toMatch(refusal);
  });

  it.each(["PATH", "LD_PRELOAD", "ENV", "WORK"])("refuses to let a caller set %s", (name) => {
    const refusal = "a variable is exported that a script must not get";
    expect(knock(command({ [name]: "/tmp" }), renderStdin("claim"))).toBe(refusal);
    expect(knock(command({}), `export ${name}='/tmp'\n${renderStdin("claim")}`)).toBe(refusal);
  });
});
