import { parse } from "yaml";
import { z } from "zod";

import type { ClusterRecord, K3sRecord, NodeRecord } from "../plan/record";
import { creationOf } from "../plan/mark";
import { kindOfResource } from "../plan/machineKinds";
import { type NodeStep, parseStep, stepName } from "../plan/steps";
import { ANCHOR_TYPE, COMMAND_TYPE } from "../plan/urn";
import { readArguments } from "../remote/script";
import { recordedGuest, type RecordedGuest } from "./machine/recordedGuest";
import { entriesIn, fitting, type Resources } from "./stateResources";

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
  const halfMade = new Map(
    entries
      .filter(({ type, outputs }) => kindOfResource(type) === "vm" && !isRead(outputs))
      .map(({ name, outputs }) => [name, creationIn(outputs)] as const)
      // The guard is created right after the machine and has the id of its creation as trigger. It is still there if somebody has
      // changed the machine's record.
      .filter(([name, creation]) => creation !== "" && !hasTrigger(commands.get(stepName(name, "guard")), creation)),
  );
  const nodes = entries.flatMap(({ name, type, outputs }) => {
    const kind = kindOfResource(type);
    // Another guest may have taken the VMID, and a refresh may have seen it. The claim and the guard handle that.
    if (kind === undefined || creationIn(outputs) === "") return [];
    if (halfMade.has(name)) return [];
    const guest = recordedGuest(kind, name, outputs);
    const step = (of: NodeStep): Readonly<Partial<Record<string, string>>> =>
      commands.has(stepName(name, of)) ? argumentsOf(name, commands.get(stepName(name, of))) : {};
    return [
      {
        ...nodeIn({ name, kind }, guest, commands.get(stepName(name, "k3s"))),
        ...(kind === "vm" ? disksIn(guest, step) : {}),
        ...packagesIn(step("packages")),
        ...longhornIn(step("ready")),
      },
    ];
  });
  return { clusters, nodes, ...(halfMade.size === 0 ? {} : { halfMade: Object.fromEntries(halfMade) }) };
}

/** The client reads these values at the end of a virtual machine's creation, and not before. */
const isRead = (outputs: unknown): boolean =>
  z.looseObject({ macAddresses: z.array(z.unknown()) }).safeParse(outputs).success;

/** The id of a guest's creation; empty for a guest that is not ours. */
function creationIn(outputs: unknown): string {
  const { data } = z.looseObject({ description: z.string() }).safeParse(outputs);
  return creationOf(data?.description ?? "");
}

function hasTrigger(command: unknown, trigger: string): boolean {
  const { data } = z.looseObject({ triggers: z.array(z.unknown()) }).safeParse(command);
  return data?.triggers.includes(trigger) ?? false;
}

function nodeIn(identity: Pick<NodeRecord, "name" | "kind">, guest: RecordedGuest, command: unknown): NodeRecord {
  const { initialization, startup } = guest;
  const [own, ...networkInterfaces] = guest.networkInterfaces;
  const [root] = guest.disks;
  const ipConfigs = initialization.ipConfigs.slice(1);
  const further = { networkInterfaces, ipConfigs };
  const moduleSum = command === undefined ? undefined : argumentsOf(identity.name, command)["MODULE_SHA256"];
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
    ...(moduleSum === undefined ? {} : { os: "nixos", moduleSum }),
    k3s: command === undefined ? undefined : k3sIn(identity.name, command),
  };
}

/**
 * The disks of a virtual machine. Its step grows the root disk, and the client learns that only by a refresh. The guest that
 * keeps the other disks has its own step.
 */
function disksIn(
  { disks: [root] }: RecordedGuest,
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

function packagesIn({ PACKAGES = "" }: Readonly<Partial<Record<string, string>>>): Pick<NodeRecord, "packages"> {
  return PACKAGES === "" ? {} : { packages: PACKAGES.split("\n") };
}

/** The step that waits until the node is Ready gives Longhorn its disks. */
function longhornIn({ LONGHORN_DISKS = "" }: Readonly<Partial<Record<string, string>>>): Pick<NodeRecord, "longhorn"> {
  if (LONGHORN_DISKS === "") return {};
  return { longhorn: LONGHORN_DISKS.split("\n").map((line) => line.split(" ")[0] ?? "") };
}

/** The client records -1 for each part of a guest's `startup` that is not set. */
const unlessUnset = (value: number | null | undefined): number | undefined =>
  value == null || value < 0 ? undefined : value;

const scalar = z.union([z.string(), z.number()]);
const k3s = z.object({
  role: z.enum(["server", "agent"]),
  version: z.string(),
  arch: z.enum(["amd64", "arm64"]),
  options: z.record(z.string(), z.union([scalar, z.boolean(), z.array(scalar)])),
  registries: z.string().exactOptional(),
});

/** A step's command has its arguments in plain text. */
const argumentsOf = (node: string, command: unknown): ReturnType<typeof readArguments> =>
  readArguments(fitting(z.looseObject({ create: z.string() }), node, command).create);

function k3sIn(node: string, command: unknown): K3sRecord {
  const {
    ROLE: role,
    VERSION: version,
    ARCH: arch,
    CONFIG: config,
    REGISTRIES: registries,
  } = argumentsOf(node, command);
  return fitting(k3s, node, {
    role,
    version,
    arch,
    options: config === undefined ? undefined : (parse(config) as unknown),
    ...(registries ? { registries } : {}),
  });
}
