import { z } from "zod";
import { duration, text } from "../../config/fields";
import { accessSchema } from "./sections/access";
import { fluxSchema } from "./sections/flux";
import { ingressSchema } from "./sections/ingress";
import { longhornSchema } from "./sections/longhorn";
import { monitoringSchema } from "./sections/monitoring";
import { namespacesSchema } from "./sections/namespaces";
import { tailscaleSchema } from "./sections/tailscale";

/**
 * What a person may write under `proxmox-k3s-addons:addons`: names, types, bounds and defaults of single values. Each key has a
 * description. `docs/addons-config.md` and `schema/addons.schema.json` are generated from it. Rules between values are in
 * `plan/rules/`. A section that is absent deploys nothing.
 */
export const sectionSchemas = {
  cluster: text("a stack in the form organization/project/stack", /^[\w.-]+\/[\w.-]+\/[\w.-]+$/, {
    hint: "for example organization/proxmox-k3s/homelab; a file backend's organization is always organization",
    example: "organization/proxmox-k3s/homelab",
  }).meta({ description: "The stack of the cluster, made by the program in the folder above." }),
  timeout: duration
    .meta({
      description: "How long `pulumi up` waits until a resource is ready, and `pulumi destroy` until it is gone.",
      independent: true,
    })
    .prefault("10m"),
  namespaces: namespacesSchema.prefault({}),
  access: accessSchema.optional(),
  ingress: ingressSchema.optional(),
  flux: fluxSchema.optional(),
  longhorn: longhornSchema.optional(),
  monitoring: monitoringSchema.optional(),
  tailscale: tailscaleSchema.optional(),
};

/** The whole config as one schema, for the generated files. */
export const addonsSchema = z.strictObject(sectionSchemas);

/** The whole config with its defaults; durations in seconds. */
export type Settings = {
  readonly [Section in keyof typeof sectionSchemas]: z.output<(typeof sectionSchemas)[Section]>;
};

/** The valid part of a config: the sections that have the right shape. */
export type Draft = Partial<Settings>;
