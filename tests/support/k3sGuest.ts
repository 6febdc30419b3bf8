import * as fs from "node:fs";
import * as path from "node:path";

import { LXC_FEATURES, LXC_RAW_LINES } from "../../plan/lxcProfile";
import { findLab } from "../../lab/lab";
import type { Lab } from "./lab";

const template = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";
const files = path.join(__dirname, "../../scripts/node/files");

/** Functions for every script in a guest. */
const words = `
kubectl() { /usr/local/bin/k3s kubectl --request-timeout=10s "$@"; }
within() { # within SECONDS COMMAND…
  until=$(($(date +%s) + $1))
  shift
  until "$@"; do
    if [ "$(date +%s)" -ge "$until" ]; then
      echo "not in time: $*" >&2
      journal | tail -n 20 | cut -c1-300 >&2
      return 1
    fi
    sleep 0.25
  done
}
restart() {
  journalctl -q -n 1 -o cat --show-cursor | sed -n 's/^-- cursor: //p' >/run/cursor
  systemctl reset-failed "$unit" 2>/dev/null || :
  systemctl restart --no-block "$unit"
}
journal() { journalctl --after-cursor "$(cat /run/cursor)" -u "$unit" -o cat; }
says() { [ "$(journal | grep -c -- "$1")" -ge "$2" ]; }
`;

/** What systemd reports while K3s waits: no failure, no restart. */
export const WAITING = "ActiveState=activating\nNRestarts=0\nResult=success";

/**
 * A container of a lab in which a test sets up K3s by hand. It shows what K3s does by itself, whoever installs it. The binary is
 * the lab's; the recipe and the units are the program's.
 */
export class K3sGuest {
  readonly address: string;

  constructor(
    private readonly lab: Lab,
    readonly vmid: number,
    readonly name: string,
    private readonly unit: "k3s" | "k3s-agent" = "k3s",
  ) {
    this.address = `${findLab(lab.name)!.prefix}.${vmid}`;
  }

  /** Makes and boots it, with K3s installed and not started. */
  async make(): Promise<void> {
    const { k3s, prefix } = findLab(this.lab.name)!;
    const net = `name=eth0,bridge=vmbr0,ip=${this.address}/24,gw=${prefix}.1`;
    const options = `--hostname ${this.name} --ostype ubuntu --unprivileged 0 --cores 2 --memory 3072 --swap 0 --rootfs local-lvm:8`;
    // Mounted, not copied: all guests of the lab run the same file.
    const binary = `lxc.mount.entry: /srv/artifacts/k3s/${k3s.version}/k3s usr/local/bin/k3s none bind,ro,create=file`;
    const unit = fs.readFileSync(path.join(files, `${this.unit}.service`), "utf8");
    await this.lab.hostWithInput(
      "sh -e",
      `pct create ${this.vmid} ${template} ${options} --features ${LXC_FEATURES} --net0 ${net}
cat >>/etc/pve/lxc/${this.vmid}.conf <<'END'
${[...LXC_RAW_LINES, binary].join("\n")}
END
pct start ${this.vmid}
timeout 60 sh -c 'until pct exec ${this.vmid} -- systemctl is-system-running </dev/null; do sleep 0.2; done' >/dev/null
pct exec ${this.vmid} -- sh -c 'cat >/etc/systemd/system/${this.unit}.service; systemctl enable -q ${this.unit}' <<'END'
${unit}
END
`,
    );
  }

  /** Runs a shell script in the guest. @returns its output without the last newline */
  async sh(script: string): Promise<string> {
    const output = await this.lab.hostWithInput(
      `pct exec ${this.vmid} -- sh -e`,
      `unit=${this.unit}\n${words}\n${script}\n`,
    );
    return output.trimEnd();
  }

  /** Writes files in /etc/rancher/k3s, which only root can read. */
  configure(contents: Readonly<Record<string, readonly string[]>>): Promise<string> {
    const write = ([name, lines]: [string, readonly string[]]) => `cat >${name} <<'END'\n${lines.join("\n")}\nEND`;
    const all = Object.entries(contents).map(write).join("\n");
    return this.sh(`umask 077; mkdir -p /etc/rancher/k3s; cd /etc/rancher/k3s\n${all}`);
  }

  /** Starts K3s, or restarts it, without waiting for it. */
  restart(): Promise<string> {
    return this.sh("restart");
  }

  /** Waits until the unit is up. */
  active(seconds = 60): Promise<string> {
    return this.sh(`within ${seconds} systemctl is-active -q "$unit"`);
  }

  /** Waits until a line has been `times` in the journal since {@link restart}. */
  seen(line: string, times = 1, seconds = 60): Promise<string> {
    return this.sh(`within ${seconds} says ${quote(line)} ${times}`);
  }

  /** The unit's state, as systemd reports it. */
  state(): Promise<string> {
    return this.sh('systemctl show -p ActiveState -p Result -p NRestarts "$unit" | sort');
  }
}

const quote = (text: string) => `'${text.replace(/'/g, `'\\''`)}'`;
