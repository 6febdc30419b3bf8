import { applyHostFaults, hostFaultKinds, labFaults } from "../host/faults";
import type { RunningLab } from "../lab";
import { describeFault, type Fault, type FaultSpec } from "../pve/faults/fault";

/** Sets a fault and returns when it has an effect. @throws Error that lists every mistake in `spec`. */
export async function setFault(lab: RunningLab, spec: FaultSpec): Promise<Fault> {
  const faults = labFaults(lab);
  const fault = faults.set(spec);
  if (!hostFaultKinds.includes(fault.kind)) return fault;
  try {
    await applyHostFaults(lab);
  } catch (error) {
    faults.clear(fault.id);
    throw error;
  }
  return faults.strike(fault.kind, "in force") ?? fault;
}

/** Clears one fault, or all, and returns when it has no effect any more. */
export async function clearFaults(lab: RunningLab, id?: number): Promise<void> {
  labFaults(lab).clear(id);
  await applyHostFaults(lab);
}

/** One line per fault, for a person. */
export function printFaults(faults: readonly Fault[]): string {
  return faults.map((fault) => `${String(fault.id).padStart(3)}  ${describeFault(fault)}`).join("\n") || "no faults";
}
