import { run } from "../host/run";

const maxAgeMs = 60_000;

/** How much each guest's root file system uses. Counted in the background, at most once a minute: it reads every folder. */
export class DiskUsage {
  private readonly known = new Map<number, { bytes: number; at: number }>();

  /** Bytes at the last count; 0 before the first has ended. */
  of(vmid: number, rootfs: string): number {
    const { bytes, at } = this.known.get(vmid) ?? { bytes: 0, at: 0 };
    if (Date.now() - at > maxAgeMs) {
      this.known.set(vmid, { bytes, at: Date.now() });
      void this.count(vmid, rootfs);
    }
    return bytes;
  }

  forget(vmid: number): void {
    this.known.delete(vmid);
  }

  private async count(vmid: number, rootfs: string): Promise<void> {
    // Files that vanish while it counts make du fail after it has printed its sum.
    const output = await run("du", ["-sxB1", rootfs]).catch((error: { stdout?: string }) => error.stdout ?? "");
    const bytes = Number(/^\d+/.exec(output)?.[0] ?? 0);
    if (this.known.has(vmid)) this.known.set(vmid, { bytes, at: Date.now() });
  }
}
