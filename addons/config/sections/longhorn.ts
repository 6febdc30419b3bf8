import { z } from "zod";
import { boolean, integer, oneOf } from "../../../config/fields";
import { chartSchema } from "./chart";

/** `addons.longhorn`: volumes on the disks that the cluster's config gives to Longhorn. */
export const longhornSchema = z
  .strictObject({
    chart: chartSchema("charts/longhorn-1.12.1.tgz", "1.12.1").meta({
      description: "The chart of Longhorn. Its vendor has it in no OCI registry, so it is an archive.",
    }),
    replicas: integer(1, 20, { example: 2 })
      .meta({
        description: "How many nodes keep a copy of a volume, if its StorageClass does not say otherwise.",
        independent: true,
      })
      .default(2),
    nodes: oneOf(["disks", "labelled"])
      .meta({
        description:
          "Where Longhorn runs, and where pods can use its volumes. `disks`: on the nodes with a disk for it. `labelled`: on the nodes with the label `storage: longhorn`, which the cluster's program prepares for volumes.",
      })
      .default("disks"),
    defaultClass: boolean
      .meta({
        description:
          "Whether claims that name no StorageClass get `longhorn`. Needs `disable: [local-storage]` in the cluster's config, because K3s' own class is also a default.",
      })
      .default(false),
    reclaimPolicy: oneOf(["Delete", "Retain"])
      .meta({
        description:
          "What happens to a volume of the class `longhorn` whose claim is deleted: `Delete` deletes its data, `Retain` keeps it.",
        independent: true,
      })
      .default("Delete"),
    reservedPercent: integer(0, 90, { example: 10 })
      .meta({
        description:
          "How much of a disk Longhorn leaves free, in percent. It applies when Longhorn gets the disk; later, change it in Longhorn.",
        independent: true,
      })
      .default(10),
    networkPolicies: boolean
      .meta({
        description:
          "Whether NetworkPolicies keep other pods away from Longhorn's API and its page, which have no password.",
        independent: true,
      })
      .default(true),
    onDeletion: oneOf(["refuse", "deleteVolumes"])
      .meta({
        description:
          "What happens if Longhorn is removed from this config, or destroyed. `refuse`: the program refuses it. `deleteVolumes`: Longhorn is deleted, and all volumes with their data. After you set it, run `pulumi up` once before you remove Longhorn.",
      })
      .default("refuse"),
  })
  .meta({ description: "Longhorn: volumes in several copies on the nodes' disks." });

export type LonghornSettings = z.output<typeof longhornSchema>;
