import * as os from "node:os";
import type { GuestConfig } from "../pve/guestConfig";

/**
 * Which CPUs each running guest may use. PVE picks them at random and moves guests as load changes; here a guest gets the
 * CPUs with the fewest guests, and keeps them.
 */
export class CpuAssignment {
  private readonly assigned = new Map<number, number[]>();

  constructor(private readonly total = os.cpus().length) {}

  /** The guest's CPUs as a list for cpuset, `0,2`; undefined if it may use all. */
  assign(vmid: number, { options }: GuestConfig): string | undefined {
    const cores = Number(options.get("cores") ?? 0);
    this.release(vmid);
    if (cores === 0 || cores >= this.total) return undefined;
    const load = Array.from({ length: this.total }, () => 0);
    for (const cpus of this.assigned.values()) for (const cpu of cpus) load[cpu]!++;
    const order = load.map((_, cpu) => cpu).sort((a, b) => load[a]! - load[b]! || a - b);
    const chosen = order.slice(0, cores).sort((a, b) => a - b);
    this.assigned.set(vmid, chosen);
    return chosen.join(",");
  }

  release(vmid: number): void {
    this.assigned.delete(vmid);
  }

  /** How many CPUs the guest may use. */
  count(vmid: number): number {
    return this.assigned.get(vmid)?.length ?? this.total;
  }
}
