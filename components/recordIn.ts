import { parse } from "yaml";
import { z } from "zod";

import { OS_TYPES } from "../config/template";
import type { ClusterRecord, K3sRecord, NodeRecord } from "../plan/record";
import { creationOf } from "../plan/mark";
import { kindOfResource } from "../plan/machineKinds";
import { type NodeStep, parseStep, stepName } from "../plan/steps";
import { ANCHOR_TYPE, COMMAND_TYPE } from "../plan/urn";
import { readArguments } from "../remote/script";
import { entriesIn, type Resources } from "./stateResources";

/** What the Proxmox provider records of a guest of any kind. Zero, an empty text and an absent value mean the same there. */
const guestForm = {
  vmId: z.number(),
  nodeName: z.string(),
  initialization: z.looseObject({
    dns: z.looseObject({ domain: z.string().nullish(), servers: z.array(z.string()).nullish() }).nullish(),
    ipConfigs: z.array(
      z.looseObject({ ipv4: z.looseObject({ address: z.string(), gateway: z.string().nullish() }).nullish() }),
    ),
    vendorDataFileId: z.string().nullish(),
  }),
  startup: z
    .looseObject({ order: z.number().nullish(), upDelay: z.number().nullish(), downDelay: z.number().nullish() })
    .nullish(),
};
const nic = {
  bridge: z.string().nullish(),
  vlanId: z.number().nullish(),
  macAddress: z.string().nullish(),
};
const disk = z.looseObject({ size: z.number(), datastoreId: z.string().nullish() });

const container = z
  .looseObject({
    ...guestForm,
    cpu: z.looseObject({ cores: z.number(), units: z.number().nullish() }),
    memory: z.looseObject({ dedicated: z.number(), swap: z.number().default(0) }),
    disk,
    networkInterfaces: z.array(z.looseObject({ name: z.string(), ...nic })),
    operatingSystem: z.looseObject({ type: z.string().nullish() }).nullish(),
    startOnBoot: z.boolean().nullish(),
  })
  .transform(({ disk: own, startOnBoot, memory, operatingSystem, ...guest }) => ({
    ...guest,
    memory,
    disks: [own],
    onBoot: startOnBoot,
    ofKind: { swapMiB: memory.swap, osType: OS_TYPES.find((type) => type === operatingSystem?.type) },
  }));

const virtualMachine = z
  .looseObject({
    ...guestForm,
    cpu: z.looseObject({ cores: z.number(), type: z.string().nullish(), units: z.number().nullish() }),
    memory: z.looseObject({ dedicated: z.number() }),
    disks: z.array(disk),
    networkDevices: z.array(z.looseObject(nic)),
    onBoot: z.boolean().nullish(),
  })
  .transform(({ networkDevices, ...guest }) => ({
    ...guest,
    networkInterfaces: networkDevices,
    ofKind: { swapMiB: 0, cpuType: guest.cpu.type ?? undefined },
  }));

/** The record in a state's resources. Pure. */
export function recordIn(state: Resources): ClusterRecord {
  const entries = entriesIn(state);
  const clusters = entries.flatMap(({ name, type }) => {
    const step = type === ANCHOR_TYPE ? parseStep(name) : undefined;
    return step?.step === "anchor" ? [step.of] : [];
  });
  const commands = new Map(
    entries.filter(({ type }) => type === COMMAND_TYPE).map(({ name, outputs }) => [name, outputs] as const),
  );
  const nodes = entries.flatMap(({ name, type, outputs }) => {
    const kind = kindOfResource(type);
    // Another guest may have taken the VMID, and a refresh may have seen it. That is for the claim and the guard.
    if (kind === undefined || !isOurs(outputs)) return [];
    const guest = kind === "lxc" ? fitting(container, name, outputs) : fitting(virtualMachine, name, outputs);
    const step = (of: NodeStep): Readonly<Partial<Record<string, string>>> =>
      commands.has(stepName(name, of)) ? argumentsOf(name, commands.get(stepName(name, of))) : {};
    return [
      {
        ...nodeIn({ name, kind }, guest, commands.get(stepName(name, "k3s"))),
        ...(kind === "vm" ? disksIn(guest, step) : {}),
      },
    ];
  });
  return { clusters, nodes };
}

function isOurs(outputs: unknown): boolean {
  const { data } = z.looseObject({ description: z.string() }).safeParse(outputs);
  return creationOf(data?.description ?? "") !== "";
}

/** @throws Error if the record has a form that this program does not know */
function fitting<T>(form: z.ZodType<T>, node: string, recorded: unknown): T {
  const { success, data } = form.safeParse(recorded);
  if (!success) throw new Error(`the state's record of ${node} has a form that this program does not know`);
  return data;
}

type Guest = z.infer<typeof container> | z.infer<typeof virtualMachine>;

function nodeIn(identity: Pick<NodeRecord, "name" | "kind">, guest: Guest, command: unknown): NodeRecord {
  const { initialization, startup } = guest;
  const [own, ...networkInterfaces] = guest.networkInterfaces;
  const [root] = guest.disks;
  const ipConfigs = initialization.ipConfigs.slice(1);
  const further = { networkInterfaces, ipConfigs };
  const ipv4 = initialization.ipConfigs[0]?.ipv4;
  const [address = "", prefix = ""] = ipv4?.address.split("/") ?? [];
  return {
    ...identity,
    vmId: guest.vmId,
    proxmoxNode: guest.nodeName,
    address,
    prefix: Number(prefix),
    gateway: ipv4?.gateway ?? "",
    nameservers: initialization.dns?.servers ?? [],
    searchDomain: initialization.dns?.domain || undefined,
    bridge: own?.bridge ?? "",
    vlan: own?.vlanId || undefined,
    mac: own?.macAddress?.toUpperCase() || undefined,
    cores: guest.cpu.cores,
    cpuUnits: guest.cpu.units || undefined,
    memoryMiB: guest.memory.dedicated,
    ...guest.ofKind,
    diskGiB: root?.size ?? 0,
    storage: root?.datastoreId || undefined,
    startOnBoot: guest.onBoot ?? true,
    startup: startup
      ? {
          order: unlessUnset(startup.order),
          upDelaySeconds: unlessUnset(startup.upDelay),
          downDelaySeconds: unlessUnset(startup.downDelay),
        }
      : undefined,
    ...(initialization.vendorDataFileId ? { vendorData: initialization.vendorDataFileId } : {}),
    ...(networkInterfaces.length === 0 ? {} : { further }),
    k3s: command === undefined ? undefined : k3sIn(identity.name, command),
  };
}

/**
 * The disks of a virtual machine: its step grows the root disk, and the client sees that only by a refresh. The guest that keeps
 * the others has a step of its own.
 */
function disksIn(
  { disks: [root] }: Guest,
  step: (of: NodeStep) => Readonly<Partial<Record<string, string>>>,
): Pick<NodeRecord, "diskGiB" | "disks" | "disksVmId"> {
  const { DISK: grown = "0" } = step("vm");
  const { VMID, DISKS = "" } = step("disks");
  const disks = DISKS.split("\n").flatMap((line) => {
    const [serial, storage, size] = line.split(" ");
    return serial && storage ? [{ serial, storage, sizeGiB: Number(size) }] : [];
  });
  return {
    diskGiB: Math.max(root?.size ?? 0, Number(grown)),
    ...(VMID === undefined ? {} : { disks, disksVmId: Number(VMID) }),
  };
}

/** The client records -1 for what a guest's `startup` does not say. */
const unlessUnset = (value: number | null | undefined): number | undefined =>
  value == null || value < 0 ? undefined : value;

const scalar = z.union([z.string(), z.number()]);
const k3s = z.object({
  role: z.enum(["server", "agent"]),
  version: z.string(),
  arch: z.enum(["amd64", "arm64"]),
  options: z.record(z.string(), z.union([scalar, z.boolean(), z.array(scalar)])),
});

/** A step's command has its arguments in plain text. */
const argumentsOf = (node: string, command: unknown): ReturnType<typeof readArguments> =>
  readArguments(fitting(z.looseObject({ create: z.string() }), node, command).create);

function k3sIn(node: string, command: unknown): K3sRecord {
  const { ROLE: role, VERSION: version, ARCH: arch, CONFIG: config } = argumentsOf(node, command);
  return fitting(k3s, node, {
    role,
    version,
    arch,
    options: config === undefined ? undefined : (parse(config) as unknown),
  });
}
