import { z } from "zod";
import { boolean, duration, integer, oneOf } from "../fields";
import { EXAMPLE_KEY, publicKey } from "../sshKeys";

/** `cluster.removal`: how a node leaves. */
export const removalSchema = z
  .strictObject({
    drainTimeout: duration
      .meta({ description: "How long a removal waits for the pods to be evicted.", change: "none", independent: true })
      .prefault("10m"),
    evictionTimeout: duration
      .meta({
        description:
          "How long a removal waits until Longhorn has moved the node's replicas to other nodes, if the cluster has Longhorn.",
        change: "none",
        independent: true,
      })
      .prefault("1h"),
    onBlocked: oneOf(["stop", "force"])
      .meta({
        description:
          "What a removal does if pods cannot be evicted in time: `stop` keeps the node, `force` deletes the pods and goes on. The same applies to Longhorn's replicas that cannot move: with `force` their volumes have fewer copies, but a volume's last copy still stops the removal.",
        change: "none",
        independent: true,
      })
      .default("stop"),
    onLocalData: oneOf(["stop", "delete"])
      .meta({
        description:
          "What a removal or a rebuild does if volumes of the cluster are only on that node's disk (local-path, hostPath, local, the last copy of a Longhorn volume that cannot move): stop before the drain and list them, or destroy them with the node.",
        change: "none",
        independent: true,
      })
      .default("stop"),
    onDisks: oneOf(["keep", "delete"])
      .meta({
        description:
          "What happens to the further disks (`disks` of a pool) of a virtual machine that leaves the cluster: they stay on the Proxmox host, or they are deleted. A rebuild always keeps them.",
        change: "none",
        independent: true,
      })
      .default("keep"),
    allowControlPlaneLoss: boolean
      .meta({
        description:
          "Whether the only server may be removed or replaced. This deletes everything that is stored in the cluster.",
        change: "none",
        independent: true,
      })
      .default(false),
  })
  .meta({
    description:
      "How a node leaves the cluster. A change applies from the next removal on, even in the same `pulumi up`.",
  });

/** `cluster.rollout`: how changes roll out to the nodes. */
export const rolloutSchema = z
  .strictObject({
    concurrency: integer(1, 100, { unit: "nodes" })
      .meta({
        description: "How many nodes a reboot or a change of K3s may affect at the same time.",
        change: "none",
        independent: true,
      })
      .default(1),
  })
  .meta({ description: "How changes roll out to the nodes." });

/** `cluster.onboarding`: what a person can see of the onboarding. */
export const onboardingSchema = z
  .strictObject({
    http: boolean
      .meta({
        description:
          "Whether a node shows its progress on port 8080 of its address while it joins, for everybody who reaches it. The page is read-only, and closes when the node is done.",
        change: "none",
        changeNote: "nodes that join later show it",
        independent: true,
      })
      .default(false),
  })
  .meta({ description: "How a person follows the onboarding of nodes." });

/** `cluster.ssh`: who may log in to the nodes. */
export const sshSchema = z
  .strictObject({
    authorizedKeys: z.array(publicKey).meta({
      description: "Public keys that may log in to the nodes as root. One of them must belong to `nodePrivateKey`.",
      example: [EXAMPLE_KEY],
      change: "live",
    }),
  })
  .meta({ description: "Who may log in to the nodes." });
