import { z } from "zod";
import { memory } from "../fields";
import { nodes } from "./nodeKeys";
import { osType, template } from "./placement";
import { kindWords, poolBase } from "./poolKeys";

/** A pool of containers. */
export const lxcPoolSchema = z
  .strictObject({
    kind: z.literal("lxc").meta({ ...kindWords, example: "lxc" }),
    ...poolBase,
    swap: memory(0)
      .meta({
        description: "Swap of a node, in addition to its memory.",
        example: "1GB",
        change: "reboot",
        independent: true,
      })
      .prefault("0GB"),
    template: template.meta({ otherwise: "`proxmox.template`" }).optional(),
    osType: osType.meta({ otherwise: "`proxmox.osType`, else the system in the template's name" }).optional(),
    nodes,
  })
  .meta({ description: "Keys of pools of containers (`kind: lxc`)." });
