import { z } from "zod";
import { boolean, duration, integer, oneOf } from "../fields";
import { EXAMPLE_KEY, publicKey } from "../sshKeys";

/** `cluster.removal`: how a node leaves. */
export const removalSchema = z
  .strictObject({
    drainTimeout: duration
      .meta({ description: "How long a removal waits for the pods to be evicted.", change: "none", independent: true })
      .prefault("10m"),
    onBlocked: oneOf(["stop", "force"])
      .meta({
        description: "What a removal does when pods cannot be evicted in time: keep the node, or go on without them.",
        change: "none",
        independent: true,
      })
      .default("stop"),
    onLocalData: oneOf(["stop", "delete"])
      .meta({
        description:
          "What a removal or a rebuild does when volumes of the cluster are on that node's disk alone (local-path, hostPath, local): stop before the drain and list them, or destroy them with the node.",
        change: "none",
        independent: true,
      })
      .default("stop"),
    allowControlPlaneLoss: boolean
      .meta({
        description: "Whether the only server may be removed or replaced, and with it all that the cluster knows.",
        change: "none",
        independent: true,
      })
      .default(false),
  })
  .meta({ description: "How a node leaves. A change counts from the next removal, also one of the same `up`." });

/** `cluster.rollout`: how changes reach the nodes. */
export const rolloutSchema = z
  .strictObject({
    concurrency: integer(1, 100, { unit: "nodes" })
      .meta({
        description: "How many nodes at a time a reboot or a change of K3s may disturb.",
        change: "none",
        independent: true,
      })
      .default(1),
  })
  .meta({ description: "How changes reach the nodes." });

/** `cluster.ssh`: who may log in. */
export const sshSchema = z
  .strictObject({
    authorizedKeys: z.array(publicKey).meta({
      description: "Public keys that may log in to the nodes as root. One is that of `nodePrivateKey`.",
      example: [EXAMPLE_KEY],
      change: "live",
    }),
  })
  .meta({ description: "Who may log in to the nodes." });
