import { z } from "zod";
import { lxcPoolSchema } from "./lxcPool";
import { vmPoolSchema } from "./vmPool";

/** The schema of a pool by its `kind`. */
export const poolSchemas = { lxc: lxcPoolSchema, vm: vmPoolSchema } as const;

/** A pool of any kind, for the generated files. */
export const anyPoolSchema = z
  .discriminatedUnion("kind", [lxcPoolSchema, vmPoolSchema])
  .meta({ description: "A pool of equal nodes. Keys of pools of every kind:" });
