import * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../../plan/model";
import { hookName } from "../../plan/steps";
import { advice } from "../../remote/advice";

/**
 * Inputs of a guest that apply only when it is created. A change must not rebuild all nodes at once, so a person rebuilds node by
 * node. A change by hand must not rebuild the node either: on the host, people move disks and put guests into other pools. The
 * description tells one creation from the next.
 */
const AT_CREATION = {
  lxc: ["operatingSystem.templateFileId", "disk.datastoreId", "poolId", "description"],
  vm: [
    ...["clone", "poolId", "description"],
    // The client would detach each disk that is not in its inputs. The program's own step grows and attaches disks (host/vm.sh).
    "disks",
    // The client would rebuild the machine for a new user. The program's own scripts keep the keys up to date.
    ...["initialization.datastoreId", "initialization.interface", "initialization.userAccount"],
    "initialization.vendorDataFileId",
  ],
} as const;

/**
 * Settings without a key in the config: people may set them on the host. A refresh takes them into the state. Without this list,
 * the client would then remove them again: a mount point by a new container, most others by a reboot.
 */
const FOR_PEOPLE = {
  lxc: [
    // Only root@pam may set features other than nesting, so the program writes them over SSH.
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
    // If the config gives no MAC address, the machine keeps the one that it was created with.
    ...(node.kind === "vm" && node.mac === undefined ? ["networkDevices[0].macAddress"] : []),
    ...(node.startup === undefined ? ["startup"] : []),
    ...(node.cpuUnits === undefined ? ["cpu.units"] : []),
  ];
}

/** Size of the root disk in a container's inputs. */
const diskGiB = ({ disk }: Record<string, unknown> = {}): number | undefined =>
  (disk as { readonly size?: number } | undefined)?.size;

/** Says why a disk that is larger than the config says is not changed, and names both ways out. */
export function diskTooLarge(node: string, is: number, wanted: number): string {
  return advice(
    `${node}: its disk has ${is}GB, the config says ${wanted}GB, and a disk cannot shrink; it was not changed`,
    `set disk: ${is}GB in the config, then pulumi up; for a smaller disk, retire the node and add another`,
  );
}

/**
 * Fails if a container's disk is larger than the config says. It runs before a change, also in a preview, and sees what a refresh
 * in the same run has found: somebody may have grown the disk on the host. The client would only say that it cannot shrink the
 * disk, and not before the `up`. For what the state knew before the run, see plan/refusals.ts.
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
