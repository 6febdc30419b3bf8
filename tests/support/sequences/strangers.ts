import * as fs from "node:fs";
import { parseGuestConfig } from "../../../lab/pve/guestConfig";
import type { Homelab } from "../homelab";

/** A guest of somebody else's, as it was made. */
interface Stranger {
  readonly conf: string;
  readonly startedAt: number | undefined;
  /** Requests to the API before it was there. */
  readonly since: number;
}

/** Guests that somebody else has made in a world, and whether anybody has touched them since. */
export class Strangers {
  private readonly all = new Map<number, Stranger>();

  constructor(private readonly lab: Homelab) {}

  get vmids(): number[] {
    return [...this.all.keys()];
  }

  has(vmid: number): boolean {
    return this.all.has(vmid);
  }

  /** A guest by hand, past the API, as `pct create` does; the VMID must be free. */
  async make(vmid: number, running: boolean): Promise<void> {
    const conf = `#somebody else's\narch: amd64\ncores: 1\nhostname: nas-${vmid}\nmemory: 512\nnet0: name=eth0,bridge=vmbr0\nrootfs: local-lvm:vm-${vmid}-disk-0,size=8G\n`;
    const config = parseGuestConfig(conf);
    fs.writeFileSync(this.lab.host.confFile(vmid), conf, { flag: "wx" });
    await this.lab.machines.create(vmid, config, { template: "" }, () => {});
    if (running) await this.lab.machines.start(vmid, config, () => {});
    this.all.set(vmid, { conf, startedAt: this.startedAt(vmid), since: this.lab.exchanges.length });
  }

  /** What has been done to them, one line each. */
  touched(): string[] {
    return [...this.all].flatMap(([vmid, { conf, startedAt, since }]) => {
      const problems: string[] = [];
      const file = this.lab.host.confFile(vmid);
      if (!fs.existsSync(file) || !this.lab.machines.guests.has(vmid)) problems.push("is gone");
      else if (fs.readFileSync(file, "utf8") !== conf) problems.push(`was changed:\n${fs.readFileSync(file, "utf8")}`);
      if (this.startedAt(vmid) !== startedAt) problems.push("was started or stopped");
      // What Proxmox VE forbids has touched nothing, and is its part of the promise.
      for (const { method, path, params, status } of this.lab.exchanges.slice(since))
        if (
          method !== "GET" &&
          status !== 403 &&
          (path.includes(`/lxc/${vmid}`) || String(params?.["vmid"]) === String(vmid))
        )
          problems.push(`was meant by ${method} ${path}`);
      return problems.map((problem) => `the stranger's guest ${vmid} ${problem}`);
    });
  }

  private startedAt(vmid: number): number | undefined {
    return this.lab.machines.guests.get(vmid)?.startedAt;
  }
}
