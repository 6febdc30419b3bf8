import * as fs from "node:fs";
import { enterHost } from "../commands/guests";
import { run } from "../host/run";
import { labPaths, type RunningLab } from "../lab";
import { grant, readmeGrants } from "../pve/access/createAccess";
import { vmImageName } from "./vmImage";

/** The template that a new lab with virtual machines has. */
export const vmTemplateId = 9000;

/** The commands with which a person makes a template of a vendor's image on a Proxmox host. */
const commands = [
  [
    ...["create", String(vmTemplateId), "--name", "debian-12-cloud", "--ostype", "l26", "--agent", "1"],
    ...["--cores", "2", "--memory", "1024", "--scsihw", "virtio-scsi-single", "--boot", "order=scsi0"],
    ...["--scsi0", `local-lvm:0,import-from=local:import/${vmImageName},discard=on`],
    ...["--ide2", "local-lvm:cloudinit", "--serial0", "socket", "--vga", "serial0"],
  ],
  ["template", String(vmTemplateId)],
];

/** Makes the template, unless the lab has a guest with that VMID, and lets the person's token copy it. */
export async function makeVmTemplate(lab: RunningLab): Promise<void> {
  const [command = "", ...args] = enterHost(lab.init);
  const qm = (words: readonly string[]) => run(command, [...args, "qm", ...words]);
  const isThere = await qm(["status", String(vmTemplateId)]).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  for (const words of commands) await qm(words);
  const { etcPve, apiToken } = labPaths(lab.name);
  const [tokenId = ""] = fs.readFileSync(apiToken, "utf8").split("=");
  grant(etcPve, tokenId, readmeGrants(lab.stack, [vmTemplateId]));
}
