import * as path from "node:path";
import type { SimulatedDriverOptions } from "../../lab/pve/simulatedDriver";
import type { SimulatedVmsOptions } from "../../lab/pve/simulatedVms";
import type { PveServerOptions } from "../../lab/pve/server";
import type { Storages } from "../../lab/pve/storage/storageStore";
import { REQUIRED_PRIVILEGES } from "../../plan/privileges";
import type { PveClient } from "./httpClient";
import { qcow2, SimulatedNode, template, vmFields } from "./pveNode";

const gib = 1024 ** 3;

/** Privileges of a token that makes virtual machines and calls their guest agents, added to those for containers. */
export const VM_PRIVILEGES = [
  ...Object.keys(REQUIRED_PRIVILEGES),
  ...["VM.Clone", "VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Config.HWType", "VM.GuestAgent.Audit"],
];

/** A node with storages for virtual machines and their images, and with a vendor's image, whose disk has 2 GiB. */
export async function startVmNode(
  options: Partial<PveServerOptions> = {},
  vms: SimulatedVmsOptions & SimulatedDriverOptions = {},
): Promise<SimulatedNode> {
  const storages = (): Storages => ({
    local: {
      type: "dir",
      content: ["vztmpl", "iso", "snippets", "import", "images"],
      path: path.join(pve.dir, "vz"),
      templates: { [path.basename(template)]: pve.templateFile },
    },
    "local-lvm": { type: "lvmthin", content: ["rootdir", "images"] },
  });
  const pve: SimulatedNode = await SimulatedNode.start({ storages, ...options }, vms);
  pve.file("import/debian-12.qcow2", qcow2(2 * gib));
  return pve;
}

/** A client whose token has, on all virtual machines, the privileges that the program needs on its own. */
export function vmClient(pve: SimulatedNode): PveClient {
  return pve.token(pve.newToken("vms", VM_PRIVILEGES));
}

/** Makes a machine and turns it into a template. */
export async function makeTemplate(client: PveClient, vmid: number, extra: Record<string, string> = {}): Promise<void> {
  await client.run(client.post("/nodes/pve/qemu", vmFields(vmid, { name: "golden", ...extra })));
  await client.run(client.post(`/nodes/pve/qemu/${vmid}/template`));
}
