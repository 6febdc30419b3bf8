import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { taskFiles, taskText } from "../../remote/script";
import { type CommandDouble, makeCommands, serveCommands } from "./doubles/commands";
import { endOf } from "./endOf";

/** One folder for each test file that imports this. */
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "scripted-hosts-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

/** ID of a guest's creation, in its description and in the host's records. */
export const CREATION = "5f3a9c1e0b7d4421";

export const MARK = "proxmox-k3s project/stack/homelab 0123456789abcdef";

type HostTask = Parameters<typeof taskText>[0];

/** The result of a script. */
export interface ScriptRun {
  readonly code: number | null;
  /** All that it printed. */
  readonly output: string;
  readonly outcome: string;
  /** Arguments of each call of `pct` and of `qm`. */
  readonly pct: readonly string[];
  readonly qm: readonly string[];
}

/**
 * The files of a Proxmox host in a scratch folder, with which scripts for the host work. `pct` is a double: it records its
 * arguments and answers what the test says. The lab shows that guests really do what `pct` tells them.
 */
export class ScriptedHost {
  readonly root = fs.mkdtempSync(path.join(scratch, "host-"));

  private uptime = "/proc/uptime";

  /** @param pct shell text that `pct` runs after it has recorded its arguments */
  constructor(pct = "") {
    for (const dir of ["bin", "lock", "vm-lock", "state", "etc/nodes/pve/lxc", "etc/nodes/pve/qemu-server"])
      fs.mkdirSync(path.join(this.root, dir), { recursive: true });
    for (const folder of ["lxc", "qemu-server"])
      fs.symlinkSync(`nodes/pve/${folder}`, path.join(this.root, "etc", folder));
    this.pct(pct);
    this.qm("");
  }

  /** Changes what `pct` does. */
  pct(text: string): void {
    this.tool("pct", text);
  }

  /** The same for `qm`. Its text may call `answer CODE`, which prints the JSON of `guest exec`; the command's output is on stdin. */
  qm(text: string): void {
    const json = `{exited => 1, exitcode => 0 + shift, "out-data" => <STDIN>}`;
    const answer = `answer() { perl -MJSON::PP -e 'local $/; print encode_json(${json})' "$1"; }`;
    this.tool("qm", `${answer}\n${text}`);
  }

  /** Makes a command of the host: it records its arguments, then runs the text. */
  tool(name: string, text: string): void {
    const file = path.join(this.root, "bin", name);
    fs.writeFileSync(file, `#!/bin/sh\necho "$*" >>"${this.root}/${name}"\n${text}\n`, { mode: 0o755 });
  }

  /** Makes waiting take no time: each `sleep` adds half a minute to the host's clock. */
  hurry(): void {
    this.uptime = path.join(this.root, "uptime");
    fs.writeFileSync(this.uptime, "1000.00 0.00\n");
    // Two scripts may wait at the same time: `mv` replaces the file in one step.
    const text = `read -r up idle <"${this.uptime}"; echo "$((\${up%.*} + 30)).00 0.00" >"${this.uptime}.$$" && mv "${this.uptime}.$$" "${this.uptime}"`;
    fs.writeFileSync(path.join(this.root, "bin/sleep"), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }

  /** Reads a guest's configuration; writes it first if a text is given. */
  conf(vmid: number, text?: string, kind: "lxc" | "qemu-server" = "lxc"): string {
    const file = path.join(this.root, `etc/nodes/pve/${kind}/${vmid}.conf`);
    if (text !== undefined) fs.writeFileSync(file, text);
    return fs.readFileSync(file, "utf8");
  }

  /** Writes the record, readable only by root, of a creation that has begun (`creations`) or of a finished guest (`prepared`). */
  record(folder: "creations" | "prepared", vmid: number, creation = CREATION): this {
    fs.mkdirSync(path.join(this.root, "state", folder), { recursive: true });
    fs.writeFileSync(path.join(this.root, "state", folder, String(vmid)), `${creation}\n`);
    return this;
  }

  /** A file of the program on the host, below `/var/lib/proxmox-k3s`; empty if it does not exist. */
  kept(file: string): string {
    const full = path.join(this.root, "state", file);
    return fs.existsSync(full) ? fs.readFileSync(full, "utf8") : "";
  }

  /**
   * Lets this process answer these commands of the host; use {@link scriptAnswered} then.
   * @returns a function that ends it
   */
  answer(names: readonly string[], double: CommandDouble): Promise<() => void> {
    makeCommands(path.join(this.root, "bin"), names);
    return serveCommands(this.root, double);
  }

  /**
   * Runs a task as the runner would.
   * @param task one of the program's tasks, or the removal script that the roster keeps
   */
  script(task: HostTask, action: string, env: Readonly<Record<string, string>> = {}): ScriptRun {
    const work = this.workOf(task);
    const options = { encoding: "utf8", env: this.environment(work, task, action, env) } as const;
    const { status, stdout, stderr } = spawnSync("sh", ["-c", this.textOf(task)], options);
    return this.runOf(work, status, stdout + stderr);
  }

  /** The same, while this process answers commands (see {@link answer}). */
  async scriptAnswered(task: HostTask, action: string, env: Readonly<Record<string, string>> = {}): Promise<ScriptRun> {
    const work = this.workOf(task);
    const options = { env: this.environment(work, task, action, env), stdio: "pipe" } as const;
    const { code, stdout, stderr } = await endOf(spawn("sh", ["-c", this.textOf(task)], options), "");
    return this.runOf(work, code, stdout + stderr);
  }

  /** A new folder for one run, as the runner makes it. */
  private workOf(task: HostTask): string {
    const work = fs.mkdtempSync(path.join(this.root, "work-"));
    for (const [name, text] of Object.entries(task === "kept-leave" ? {} : taskFiles(task)))
      fs.writeFileSync(path.join(work, name), `${text}\n`);
    return work;
  }

  private textOf(task: HostTask): string {
    for (const file of ["pct", "qm"]) fs.rmSync(path.join(this.root, file), { force: true });
    return taskText(task)
      .replaceAll("/etc/pve", `${this.root}/etc`)
      .replaceAll("/proc/uptime", this.uptime)
      .replaceAll("/run/lock/lxc", `${this.root}/lock`)
      .replaceAll("/run/lock/qemu-server", `${this.root}/vm-lock`)
      .replaceAll("/var/lib/proxmox-k3s", `${this.root}/state`);
  }

  private environment(
    work: string,
    task: HostTask,
    action: string,
    env: Readonly<Record<string, string>>,
  ): NodeJS.ProcessEnv {
    return {
      PATH: `${this.root}/bin:${process.env["PATH"]}`,
      DOUBLE_SOCKET: `${this.root}/run/systemd/private`,
      ...{ WORK: work, RUNNER: String(process.pid), STEP: `node-1-${task}`, ACTION: action },
      ...{ MARK, VMID: "103", NAME: "node-1", ...env },
    };
  }

  private runOf(work: string, code: number | null, output: string): ScriptRun {
    const read = (file: string) => (fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : "");
    const calls = (tool: string): string[] => read(path.join(this.root, tool)).split("\n").filter(Boolean);
    return { code, output, outcome: read(path.join(work, "outcome")), pct: calls("pct"), qm: calls("qm") };
  }
}
