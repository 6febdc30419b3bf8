import * as fs from "node:fs";
import { parseGuestConfig } from "../../../lab/pve/guestConfig";
import type { Homelab } from "../homelab";
import type { Kind } from "./wish";

/** Another person's guest, as it was made. */
interface Stranger {
  readonly conf: string;
  readonly startedAt: number | undefined;
  /** Number of requests to the API before the guest was made. */
  readonly since: number;
}

/** Other people's guests in a homelab, and whether anything has touched them since. */
export class Strangers {
  private readonly all = new Map<number, Stranger>();

  constructor(private readonly lab: Homelab) {}

  get vmids(): number[] {
    return [...this.all.keys()];
  }

  has(vmid: number): boolean {
    return this.all.has(vmid);
  }

  /** Makes a guest without the API, as `pct create` and `qm create` do; the VMID must be free. */
  async make(vmid: number, running: boolean, kind: Kind = "lxc"): Promise<void> {
    const { host, machines, vms } = this.lab;
    const disk = `local-lvm:vm-${vmid}-disk-0`;
    const conf = `#somebody else's\ncores: 1\nmemory: 512\n${OWN[kind](vmid, disk)}`;
    const config = parseGuestConfig(conf);
    fs.writeFileSync(host.confFile(vmid, kind), conf, { flag: "wx" });
    if (kind === "lxc") await machines.create(vmid, config, { template: "" }, () => {});
    else await vms.create(vmid, config, [{ volid: disk, bytes: 8 * 1024 ** 3 }], () => {});
    if (running) await host.driverOf(vmid).start(vmid, config, () => {});
    this.all.set(vmid, { conf, startedAt: this.startedAt(vmid), since: this.lab.exchanges.length });
  }

  /** Everything that was done to them, one line each. */
  touched(): string[] {
    return [...this.all].flatMap(([vmid, { conf, startedAt, since }]) => {
      const problems: string[] = [];
      const file = this.lab.host.confFile(vmid);
      if (!fs.existsSync(file) || !this.lab.guests.includes(vmid)) problems.push("is gone");
      else if (fs.readFileSync(file, "utf8") !== conf) problems.push(`was changed:\n${fs.readFileSync(file, "utf8")}`);
      if (this.startedAt(vmid) !== startedAt) problems.push("was started or stopped");
      // A request that Proxmox VE has refused (403) has touched nothing.
      for (const { method, path, params, status } of this.lab.exchanges.slice(since))
        if (
          method !== "GET" &&
          status !== 403 &&
          (ofGuest(vmid).test(path) || ["vmid", "newid"].some((key) => String(params?.[key]) === String(vmid)))
        )
          problems.push(`was the target of ${method} ${path}`);
      return problems.map((problem) => `the stranger's guest ${vmid} ${problem}`);
    });
  }

  private startedAt(vmid: number): number | undefined {
    return this.lab.machines.startedAt(vmid);
  }
}

/** The options that only one kind of guest has. */
const OWN: Readonly<Record<Kind, (vmid: number, disk: string) => string>> = {
  lxc: (vmid, disk) => `arch: amd64\nhostname: nas-${vmid}\nnet0: name=eth0,bridge=vmbr0\nrootfs: ${disk},size=8G\n`,
  vm: (vmid, disk) => `name: nas-${vmid}\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0\nscsi0: ${disk},size=8G\n`,
};

const ofGuest = (vmid: number): RegExp => new RegExp(`/(lxc|qemu)/${vmid}(/|$)`);
