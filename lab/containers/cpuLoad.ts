/** How much of its CPUs each guest uses. */
export class CpuLoad {
  private readonly samples = new Map<number, { at: number; cpuSeconds: number; cpu: number }>();

  /**
   * Share of a guest's CPUs used since the last measurement, 0 to 1. It measures at most once a second.
   *
   * @param cpuSeconds CPU time that it has used so far.
   */
  since(vmid: number, cpuSeconds: number, cpus: number): number {
    const last = this.samples.get(vmid);
    const at = Date.now() / 1000;
    if (last && at - last.at < 1) return last.cpu;
    const cpu = last ? Math.max(0, cpuSeconds - last.cpuSeconds) / (at - last.at) / cpus : 0;
    this.samples.set(vmid, { at, cpuSeconds, cpu });
    return cpu;
  }

  forget(vmid: number): void {
    this.samples.delete(vmid);
  }
}
