import type { SimulatedVmsOptions } from "../../lab/pve/simulatedVms";
import type { PveServerOptions } from "../../lab/pve/server";
import { REQUIRED_PRIVILEGES } from "../../plan/privileges";
import type { PveClient } from "./httpClient";
import { qcow2, SimulatedNode, vmFields } from "./pveNode";

const gib = 1024 ** 3;

/** What a token needs to make virtual machines and to ask their guest agents, beside what containers take. */
export const VM_PRIVILEGES = [
  ...Object.keys(REQUIRED_PRIVILEGES),
  ...["VM.Clone", "VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Config.HWType", "VM.GuestAgent.Audit"],
];

/** A node with simulated virtual machines and the image of a vendor, whose disk is 2 GiB. */
export async function startVmNode(
  options: Partial<PveServerOptions> = {},
  vms: SimulatedVmsOptions = {},
): Promise<SimulatedNode> {
  const pve = await SimulatedNode.start(options, vms);
  pve.file("import/debian-12.qcow2", qcow2(2 * gib));
  return pve;
}

/** A client whose token may do with virtual machines what the program will do with its own. */
export function vmClient(pve: SimulatedNode): PveClient {
  return pve.token(pve.newToken("vms", VM_PRIVILEGES));
}

/** Makes a machine, and a template of it. */
export async function makeTemplate(client: PveClient, vmid: number, extra: Record<string, string> = {}): Promise<void> {
  await client.run(client.post("/nodes/pve/qemu", vmFields(vmid, { name: "golden", ...extra })));
  await client.run(client.post(`/nodes/pve/qemu/${vmid}/template`));
}
