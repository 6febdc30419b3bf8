import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { taskFiles, taskText } from "../../remote/script";

const DOUBLES = path.join(__dirname, "doubles/nixos");
/** One folder for each test file that imports this. */
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "nixos-machines-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

export interface NixosRun {
  readonly code: number | null;
  readonly output: string;
  readonly outcome: string;
}

/**
 * The files of a machine with NixOS in a scratch folder, on which the program's scripts run in a real sh. `nixos-rebuild` is
 * doubles/nixos/nixos-rebuild-double.sh; systemd, K3s and its journal are doubles too. So this does not show what NixOS itself does.
 */
export class NixosMachine {
  readonly root = fs.mkdtempSync(path.join(scratch, "machine-"));

  /** @param release the K3s version in its nixpkgs */
  constructor(release = "1.36.3+k3s1") {
    for (const folder of [
      "bin",
      "work",
      "run",
      "etc/nixos",
      "nix/store/template/bin",
      "nix/var/nix/profiles",
      "nix/var/nix/gcroots",
      "nix/units",
      "etc/systemd",
    ])
      fs.mkdirSync(path.join(this.root, folder), { recursive: true });
    this.write("etc/NIXOS", "");
    this.write("etc/nixos/configuration.nix", '{ boot.loader.grub.device = "/dev/sda"; }');
    this.write("k3s-release", release);
    this.script(
      "nix/store/template/bin/switch-to-configuration",
      `ln -sfn ${this.at("nix/store/template")} ${this.at("run/current-system")}; echo "switch-to-configuration $1 template" >>${this.at("switches")}; [ ! -e ${this.at("failed-unit")} ] || exit 4`,
    );
    for (const link of ["run/current-system", "nix/var/nix/profiles/system"])
      fs.symlinkSync(this.at("nix/store/template"), this.at(link));
    fs.symlinkSync(this.at("nix/units"), this.at("etc/systemd/system"));
    fs.symlinkSync(path.join(DOUBLES, "nixos-rebuild-double.sh"), this.at("bin/nixos-rebuild"));
    this.script(
      "bin/nixos-generate-config",
      `echo '{ fileSystems."/".device = "/dev/disk/by-uuid/0"; }'; echo generated >>${this.at("hardware")}`,
    );
    this.script("bin/nix-env", `[ "$1 $3" = "--profile --set" ] && ln -sfn "$4" "$2"`);
    // A unit without a timer runs at once; one with a timer is only recorded.
    this.script(
      "bin/systemd-run",
      `echo "systemd-run $*" >>${this.at("units")}; case "$*" in *--on-active*) ;; *) while [ "$1" != /bin/sh ]; do shift; done; "$@" ;; esac`,
    );
    this.script(
      "bin/systemctl",
      `echo "systemctl $*" >>${this.at("units")}
      case $1 in
        start) [ -e ${this.at("broken")} ] || touch ${this.at("up")} ;;
        stop) case $2 in k3s) rm -f ${this.at("up")} ;; esac ;;
        is-active) case $* in *proxmox-k3s-back*) [ -e ${this.at("goes-back")} ] ;; *) [ -e ${this.at("up")} ] ;; esac ;;
        show) echo 0 ;;
      esac`,
    );
    this.script("bin/journalctl", `case "$*" in *--show-cursor*) ;; *) cat ${this.at("broken")} 2>/dev/null ;; esac`);
    this.script("bin/hostname", "echo mizar");
    this.script("bin/k3s", `case $1 in --version) echo "k3s version v$(cat ${this.at("k3s-release")}) (0)" ;; esac`);
  }

  at(file: string): string {
    return path.join(this.root, file);
  }

  write(file: string, text: string): void {
    fs.mkdirSync(path.dirname(this.at(file)), { recursive: true });
    fs.writeFileSync(this.at(file), text);
  }

  read(file: string): string {
    return fs.existsSync(this.at(file)) ? fs.readFileSync(this.at(file), "utf8") : "";
  }

  /** The name in the store to which a link leads. */
  system(link: "run/current-system" | "nix/var/nix/profiles/system" = "run/current-system"): string {
    return path.basename(fs.readlinkSync(this.at(link)));
  }

  /** Runs one of the program's tasks on the machine as the runner would. */
  task(
    task: "nixos-build" | "nixos-k3s",
    env: Readonly<Record<string, string>>,
    secrets: Readonly<Record<string, string>> = {},
  ): NixosRun {
    fs.rmSync(this.at("work/outcome"), { force: true });
    for (const [name, text] of Object.entries(taskFiles(task))) this.write(`work/${name}`, `${text}\n`);
    for (const [name, text] of Object.entries(secrets)) this.write(`work/secret.${name}`, `${text}\n`);
    return this.shell(taskText(task), {
      WORK: this.at("work"),
      RUNNER: String(process.pid),
      STEP: `mizar-${task}`,
      ...env,
    });
  }

  /** Runs the script that the guest agent runs in the machine. @returns the last line of its output */
  guest(...args: string[]): string {
    const text = this.placed(taskFiles("nixos-trial")["guest-nixos.sh"] ?? "");
    this.write("run/proxmox-k3s-nixos.sh", text);
    const { output } = this.shell(`sh ${this.at("run/proxmox-k3s-nixos.sh")} ${args.join(" ")}`, {});
    return output.trim().split("\n").at(-1) ?? "";
  }

  private placed(text: string): string {
    return text
      .replaceAll("/usr/local/bin/k3s", this.at("bin/k3s"))
      .replaceAll(
        /(?<![\w.])\/(etc\/(?:NIXOS|nixos|rancher|systemd)|nix\/var|var\/lib\/(?:proxmox-k3s|rancher)|run\/(?:current-system|proxmox-k3s))/g,
        `${this.root}/$1`,
      );
  }

  private shell(text: string, env: Readonly<Record<string, string>>): NixosRun {
    const { status, stdout, stderr } = spawnSync("sh", ["-c", this.placed(text)], {
      encoding: "utf8",
      env: { PATH: `${this.at("bin")}:${process.env["PATH"]}`, DOUBLE_ROOT: this.root, ...env },
    });
    return {
      code: status,
      output: (stdout + stderr).replaceAll(this.root, ""),
      outcome: this.read("work/outcome").trim(),
    };
  }

  private script(file: string, text: string): void {
    fs.writeFileSync(this.at(file), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
}
