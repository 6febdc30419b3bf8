import { z } from "zod";
import { text } from "./fields";
import { firewallSchema } from "./sections/firewall";
import { k3sSchema } from "./sections/k3s";
import { networkSchema } from "./sections/network";
import { onboardingSchema, removalSchema, rolloutSchema, sshSchema } from "./sections/operation";
import { anyPoolSchema, type poolSchemas } from "./sections/pools";
import { proxmoxSchema } from "./sections/proxmox";

/**
 * What a person may write under `proxmox-k3s:cluster`: names, types, bounds and defaults of single values. Each has a
 * description and says what a change does. `docs/config.md` and `schema/cluster.schema.json` are generated from it. Rules
 * between values are in `plan/rules/`.
 */

const NAME = /^[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?$/;
const nameRule = "a name of at most 30 lowercase letters, digits and inner hyphens that starts with a letter";
export const poolName = text(nameRule, NAME, { hint: "for example worker", example: "worker" }).meta({
  placeholder: "<pool>",
});

/** The sections of `cluster` except `pools`. Each is parsed separately, so that a mistake in one hides no problem in another. */
export const sectionSchemas = {
  name: text(nameRule, NAME, { hint: "for example homelab", example: "homelab" }).meta({
    description: "The cluster's name. It is part of the guests' tag and, by default, of the nodes' names.",
    change: "refused",
    changeNote: "a new, empty cluster would replace this one",
  }),
  version: text("a K3s release in the form vX.Y.Z+k3sN", /^v\d+\.\d+\.\d+\+k3s\d+$/, {
    hint: "for example v1.36.3+k3s1",
    example: "v1.36.3+k3s1",
  }).meta({ description: "The K3s release.", change: "k3sRestart", changeNote: "servers first, then agents" }),
  network: networkSchema,
  proxmox: proxmoxSchema,
  ssh: sshSchema,
  k3s: k3sSchema.prefault({}),
  firewall: firewallSchema.prefault({}),
  removal: removalSchema.prefault({}),
  rollout: rolloutSchema.prefault({}),
  onboarding: onboardingSchema.prefault({}),
};

/** The whole config as one schema, for the generated files. */
export const clusterSchema = z.strictObject({
  ...sectionSchemas,
  pools: z.record(poolName, anyPoolSchema).meta({ description: "The pools of nodes, by name." }),
});

export type PoolSettings = z.output<(typeof poolSchemas)[keyof typeof poolSchemas]>;
export type LxcPoolSettings = z.output<typeof poolSchemas.lxc>;
export type VmPoolSettings = z.output<typeof poolSchemas.vm>;
export type DiskSettings = VmPoolSettings["disks"][number];
export type NodeSettings = PoolSettings["nodes"][string];
export type NetworkSettings = z.output<typeof networkSchema>;
export type ProxmoxSettings = z.output<typeof proxmoxSchema>;
export type K3sSettings = z.output<typeof k3sSchema>;
export type FirewallSettings = z.output<typeof firewallSchema>;

/** The whole config with its defaults: memory in MiB, disks in GiB, durations in seconds. */
export type Settings = {
  readonly [Section in keyof typeof sectionSchemas]: z.output<(typeof sectionSchemas)[Section]>;
} & {
  readonly pools: Readonly<Record<string, PoolSettings>>;
};

/** The valid part of a config: sections and pools that have the right shape. */
export type Draft = Partial<Omit<Settings, "pools">> & {
  readonly pools: Readonly<Record<string, PoolSettings>>;
  /** No pool is missing, so the nodes can be counted. */
  readonly allPools: boolean;
};
