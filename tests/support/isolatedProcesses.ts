import { type ChildProcess, execFile, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { promisify } from "node:util";

/**
 * A PID and a mount namespace: only processes in it see its mounts, and its processes end with it, even if the test ends early.
 * Needs root on Linux.
 */
export class IsolatedProcesses {
  private constructor(private readonly holder: ChildProcess) {}

  static async create(): Promise<IsolatedProcesses> {
    // The first process of a PID namespace becomes the parent of all orphans. It ignores SIGCHLD, so that no zombies stay.
    const first = ["sh", "-c", "trap '' CHLD; echo up; exec cat >/dev/null"];
    const holder = spawn("unshare", ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", ...first], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    let complaint = "";
    holder.stderr.on("data", (data: Buffer) => (complaint += data.toString()));
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once("data", () => resolve());
      holder.once("error", reject);
      holder.once("exit", () =>
        reject(new Error(`cannot make a PID and a mount namespace, which needs root on Linux: ${complaint.trim()}`)),
      );
    });
    return new IsolatedProcesses(holder);
  }

  /** Prefix for a command line that is to run here. */
  get enter(): readonly string[] {
    const ns = `/proc/${this.holder.pid}/ns`;
    return ["nsenter", `--mount=${ns}/mnt`, `--pid=${ns}/pid_for_children`, "--"];
  }

  /**
   * Makes a folder the root of a machine. Its programs are this machine's, read-only; everything else is its own.
   * @param commands folder of programs that come first in the PATH
   * @param files files and folders that replace the machine's, read-only, by path
   */
  async mountRoot(root: string, commands: string, files: Readonly<Record<string, string>> = {}): Promise<void> {
    const table = path.join(root, "fstab");
    const programs = ["bin", "sbin", "lib", "lib64"].filter((dir) => !isLink(`/${dir}`) && fs.existsSync(`/${dir}`));
    const binds = [
      ...["usr", ...programs, "etc/alternatives"].map((dir) => [`/${dir}`, dir, "bind,ro"]),
      [commands, "usr/local/sbin", "bind,ro"],
      ["/dev", "dev", "bind"],
      ["/proc", "proc", "bind"],
      ...Object.entries(files).map(([target, source]) => [source, target.replace(/^\//, ""), "bind,ro"]),
    ];
    fs.writeFileSync(table, binds.map(([from, to, how]) => `${from} ${root}/${to} none ${how} 0 0\n`).join(""));
    const [program, ...args] = [...this.enter, "mount", "-a", "-T", table];
    await promisify(execFile)(program, args);
  }

  /** Ends every process. */
  async dispose(): Promise<void> {
    const ended = new Promise((resolve) => this.holder.once("exit", resolve));
    this.holder.stdin?.end();
    this.holder.kill("SIGKILL");
    await ended;
  }
}

/** Makes the folders that {@link IsolatedProcesses.mountRoot} expects, for a new machine. */
export function makeRoot(root: string): void {
  const folders = [
    ...["dev", "proc", "usr", "tmp", "root", "etc/alternatives", "etc/systemd/system"],
    ...["var/log", "run/lock", "run/systemd"],
  ];
  for (const dir of folders) fs.mkdirSync(path.join(root, dir), { recursive: true });
  for (const dir of ["bin", "sbin", "lib", "lib64"]) {
    if (isLink(`/${dir}`)) fs.symlinkSync(fs.readlinkSync(`/${dir}`), path.join(root, dir));
    else if (fs.existsSync(`/${dir}`)) fs.mkdirSync(path.join(root, dir));
  }
  for (const file of ["passwd", "group", "ld.so.cache"])
    if (fs.existsSync(`/etc/${file}`)) fs.copyFileSync(`/etc/${file}`, path.join(root, "etc", file));
}

function isLink(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}
