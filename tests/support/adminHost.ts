import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { type AdminValues, renderAdmin } from "../../cli/init/adminScript";
import { type CallApi, callApiAt } from "../../lab/host/pctApi";
import { runPvesh } from "../../lab/host/pveshCommands";
import { serveCommands } from "./doubles/commands";
import { endOf } from "./endOf";
import { SimulatedNode } from "./pveNode";

export interface AdminRun {
  readonly code: number | null;
  /** Lines of its standard output, without empty ones. */
  readonly told: readonly string[];
  readonly stderr: string;
}

/**
 * A Proxmox host for the administrator's scripts. They run in a real shell. Their `pvesh` is the lab's and calls the lab's API,
 * which is checked against the official schema. The host's files are in a scratch folder. `pveam` is a double: the lab has no
 * repository of templates.
 */
export class AdminHost {
  private endAnswers = (): void => {};

  private constructor(readonly pve: SimulatedNode) {}

  static async start(): Promise<AdminHost> {
    const host = new AdminHost(await SimulatedNode.start());
    const { dir } = host.pve;
    // The doubles' socket is in the scratch folder, not at its usual path.
    const double = fs.readFileSync(path.join(__dirname, "doubles/command.pl"), "utf8");
    host.write("bin/pvesh.real", double.replace("/run/systemd", `${dir}/commands/run/systemd`), 0o755);
    const callApi: CallApi = (...call) => callApiAt(host.pve.socket, ...call);
    host.endAnswers = await serveCommands(path.join(dir, "commands"), (call) =>
      runPvesh({ callApi, print: (line) => call.print(`${line}\n`) }, call.args),
    );
    host.command("pvesh", 'exec pvesh.real "$@"');
    host.command("pveam", `[ "$1" = update ] || : >${dir}/vz/template/cache/"$3"`);
    host.command("hostname", "echo pve");
    host.command("dpkg-query", "printf 9.2.3");
    host.command("ping", 'for last; do :; done; [ "$last" = 198.18.0.20 ]');
    fs.mkdirSync(path.join(dir, "vz/template/cache"), { recursive: true });
    for (const folder of ["var/lib", "var/log", "usr/local/sbin"])
      fs.mkdirSync(path.join(host.root, folder), { recursive: true });
    host.write("etc/resolv.conf", "search lan\nnameserver 198.18.0.1\n");
    host.write("root/.ssh/authorized_keys", "ssh-ed25519 AAAAadmin root@laptop\n");
    host.write("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAhost root@pve\n");
    return host;
  }

  /** Makes a command of the host. @param text shell */
  command(name: string, text: string): void {
    this.write(`bin/${name}`, `#!/bin/sh\n${text}\n`, 0o755);
  }

  write(file: string, text: string, mode = 0o644): void {
    const target = path.join(this.root, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text, { mode });
  }

  get root(): string {
    return path.join(this.pve.dir, "host");
  }

  /** From now on the nth call that changes something kills the shell and all that it started. */
  killAt(call: number, when: "before" | "after"): void {
    const count = path.join(this.pve.dir, "calls");
    fs.writeFileSync(count, "");
    const kill = `[ "$(wc -c <${count})" -ne ${call} ] || kill -9 0`;
    const [before, after] = when === "before" ? [kill, ":"] : [":", kill];
    this.command(
      "pvesh",
      `[ "$1" != get ] || exec pvesh.real "$@"\nprintf x >>${count}\n${before}\npvesh.real "$@" || exit\n${after}`,
    );
  }

  endKills(): void {
    this.command("pvesh", 'exec pvesh.real "$@"');
  }

  /** Folders as a script names them, and their paths here. */
  private get places(): [name: string, place: string][] {
    const below = ["/var/lib/proxmox-k3s", "/var/log/proxmox-k3s", "/root/.ssh", "/etc/ssh", "/etc/resolv.conf"];
    return [
      ["/etc/pve", this.pve.etcPve],
      ...[...below, "/usr/local/sbin"].map((name): [string, string] => [name, `${this.root}${name}`]),
    ];
  }

  /** A command to use instead of `ssh`: it runs scripts on this host. @param address the host's address for `ssh -G` */
  sshCommand(address: string): string {
    const file = path.join(this.pve.dir, "ssh");
    const places = this.places.map(([name, place]) => `-e 's|${name}|${place}|g'`).join(" ");
    const lines = [
      `if [ "$1" = -G ]; then printf 'hostname ${address}\\nport 22\\n'; exit; fi`,
      `cd / && PATH="${this.root}/bin:$PATH" exec sh -c "$(sed ${places})" </dev/null`,
    ];
    fs.writeFileSync(file, ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
    return file;
  }

  async run<Name extends keyof AdminValues>(name: Name, values: AdminValues[Name]): Promise<AdminRun> {
    const text = this.places.reduce(
      (script, [called, place]) => script.replaceAll(called, place),
      renderAdmin(name, values),
    );
    const env = { PATH: `${this.root}/bin:${process.env["PATH"]}` };
    // A process group of its own, so that `killAt` can end it.
    const child = spawn("sh", ["-c", text], { env, cwd: "/", stdio: "pipe", detached: true });
    const { code, stdout, stderr } = await endOf(child, "");
    return { code, told: stdout.split("\n").filter(Boolean), stderr };
  }

  /** All that init may change: users, roles, pools and permissions, and the host's files. */
  state(): Record<string, string> {
    // A glob would leave out .ssh and .shared.
    const below = (folder: string): string[] => fs.readdirSync(folder, { recursive: true, encoding: "utf8" });
    const files = [...below(this.root), ...below(path.join(this.pve.dir, "vz")).map((file) => path.join("vz", file))];
    const read = (file: string): string => (fs.statSync(file).isFile() ? fs.readFileSync(file, "utf8") : "a folder");
    const from = (file: string): string => path.join(file.startsWith("vz") ? this.pve.dir : this.root, file);
    return {
      access: fs.readFileSync(path.join(this.pve.etcPve, "user.cfg"), "utf8"),
      tokens: fs.readFileSync(path.join(this.pve.etcPve, "priv/token.cfg"), "utf8"),
      ...Object.fromEntries(files.filter((file) => !/^bin\//.test(file)).map((file) => [file, read(from(file))])),
    };
  }

  stop(): Promise<void> {
    this.endAnswers();
    return this.pve.stop();
  }
}
