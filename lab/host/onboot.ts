import { enterHost, labGuests } from "../commands/guests";
import type { RunningLab } from "../lab";
import { run } from "./run";

/** Starts the guests that PVE starts with the host: those with `onboot: 1`, by VMID. */
export async function startGuestsOnBoot(lab: RunningLab): Promise<void> {
  for (const { vmid, type, onBoot, status } of await labGuests(lab)) {
    if (!onBoot || status === "running") continue;
    const [command = "", ...args] = [...enterHost(lab.init), type === "lxc" ? "pct" : "qm", "start", String(vmid)];
    await run(command, args);
  }
}
