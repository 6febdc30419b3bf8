import * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../../plan/model";
import { hookName } from "../../plan/steps";
import { advice } from "../../remote/advice";

/**
 * Inputs of a guest that count at its creation. A change must not rebuild every node at once, so a rebuild is asked
 * for per node. Nor may one by hand: a disk is moved and a guest put into another pool on the host. The description tells
 * one creation from the next.
 */
const AT_CREATION = {
  lxc: ["operatingSystem.templateFileId", "disk.datastoreId", "poolId", "description"],
  vm: [
    ...["clone", "poolId", "description"],
    // The client would detach each disk that its inputs do not have. The program's own step grows and attaches disks (host/vm.sh).
    "disks",
    // A new user would rebuild the machine; keys are kept by the program's own scripts.
    ...["initialization.datastoreId", "initialization.interface", "initialization.userAccount"],
    "initialization.vendorDataFileId",
  ],
} as const;

/**
 * What the config has no key for is for people to set on the host. A refresh takes it into the state, and without this the
 * client would take it away again: a mount point by a new container, most others by a reboot.
 */
const FOR_PEOPLE = {
  lxc: [
    // Features other than nesting are root@pam's alone: the program writes them over SSH.
    "features",
    ...["mountPoints", "devicePassthroughs", "idmaps", "hookScriptFileId", "tags", "protection"],
    ...["console", "environmentVariables", "initialization.entrypoint"],
    "cpu.limit",
    ...["acl", "mountOptions", "quota", "replicate"].map((option) => `disk.${option}`),
    ...["firewall", "hostManaged", "mtu", "rateLimit"].map((option) => `networkInterfaces[0].${option}`),
    "initialization.ipConfigs[0].ipv6",
  ],
  vm: [
    ...["acpi", "amdSev", "audioDevice", "bios", "bootOrders", "cdrom", "efiDisk", "hookScriptFileId", "hostpcis"],
    ...["hotplug", "keyboardLayout", "kvmArguments", "machine", "numas", "operatingSystem", "protection", "rngs"],
    ...["scsiHardware", "serialDevices", "smbios", "tabletDevice", "tags", "tpmState", "usbs", "vga", "virtiofs"],
    "watchdog",
    ...["affinity", "architecture", "flags", "hotplugged", "limit", "numa", "sockets"].map((option) => `cpu.${option}`),
    ...["floating", "hugepages", "keepHugepages", "shared"].map((option) => `memory.${option}`),
    ...["disconnected", "firewall", "model", "mtu", "queues", "rateLimit", "trunks"].map(
      (option) => `networkDevices[0].${option}`,
    ),
    "initialization.ipConfigs[0].ipv6",
  ],
} as const;

/** Inputs of the node's guest that the client must not compare with the guest. */
export function ignoredChanges(node: NodePlan): string[] {
  return [
    ...AT_CREATION[node.kind],
    ...FOR_PEOPLE[node.kind],
    // The machine keeps the one that it was made with, as long as the config gives none.
    ...(node.kind === "vm" && node.mac === undefined ? ["networkDevices[0].macAddress"] : []),
    ...(node.startup === undefined ? ["startup"] : []),
    ...(node.cpuUnits === undefined ? ["cpu.units"] : []),
  ];
}

/** Size of the root disk in a container's inputs. */
const diskGiB = ({ disk }: Record<string, unknown> = {}): number | undefined =>
  (disk as { readonly size?: number } | undefined)?.size;

/** Why a disk stays as it is that is larger than the config says, with both ways out. */
export function diskTooLarge(node: string, is: number, wanted: number): string {
  return advice(
    `${node}: its disk has ${is}GB, the config says ${wanted}GB, and a disk cannot shrink; it was not changed`,
    `set disk: ${is}GB in the config, then pulumi up; for a smaller disk, retire the node and add another`,
  );
}

/**
 * Before a change, in the preview too: a container's disk as a refresh in the same run sees it is no larger than the config's.
 * Somebody may have grown it on the host; the client would only say that it cannot shrink it, and not before the `up`. What
 * the state knew before the run is judged earlier (plan/refusals.ts).
 */
export function diskFits(cluster: string): pulumi.ResourceHook {
  return new pulumi.ResourceHook(
    hookName(cluster, "disk"),
    ({ name, oldInputs, newInputs }) => {
      const [is, wanted] = [diskGiB(oldInputs), diskGiB(newInputs)];
      if (is !== undefined && wanted !== undefined && is > wanted) throw new Error(diskTooLarge(name, is, wanted));
    },
    { onDryRun: true },
  );
}
