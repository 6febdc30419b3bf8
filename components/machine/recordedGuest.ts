import { z } from "zod";

import { OS_TYPES } from "../../config/template";
import type { MachineKind } from "../../plan/machineKinds";
import { fitting } from "../stateResources";

/** What the Proxmox provider records of a guest of any kind. In it, zero, an empty text and an absent value mean the same. */
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

/** What the state records of a guest, in one form for all kinds. */
export type RecordedGuest = z.infer<typeof container> | z.infer<typeof virtualMachine>;

const FORMS: Readonly<Record<MachineKind, z.ZodType<RecordedGuest>>> = { lxc: container, vm: virtualMachine };

/** @throws Error if the record has a form that this program does not know */
export const recordedGuest = (kind: MachineKind, node: string, outputs: unknown): RecordedGuest =>
  fitting(FORMS[kind], node, outputs);
