import { z } from "zod";
import { integer, oneOf, text } from "../fields";
import { furtherDisks, KEEPER } from "./disks";
import { image, installAgent } from "./images";
import { nodes, VMIDS } from "./nodeKeys";
import { kindWords, poolBase, vmIds } from "./poolKeys";

/** A pool of virtual machines. */
export const vmPoolSchema = z
  .strictObject({
    kind: z.literal("vm").meta({ ...kindWords, example: "vm" }),
    ...poolBase,
    template: integer(VMIDS.least, VMIDS.most, {
      hint: "the VMID of a virtual machine that is a template; `qm list` and `qm config VMID` show it",
      example: 9000,
    })
      .meta({
        description:
          "VMID of the template that the machines are clones of. It needs cloud-init and the QEMU guest agent, and its root disk is `scsi0`.",
        otherwise: "an `image`",
        change: "newNodes",
      })
      .optional(),
    image: image.optional(),
    os: oneOf(["nixos"])
      .meta({
        hint: "remove it for Debian, Ubuntu and the like",
        description:
          "Set `nixos` if the template or image has NixOS. The program then writes a NixOS module for each machine, and K3s comes from nixpkgs (docs/nixos.md).",
        otherwise: "a system like Debian or Ubuntu, whose files scripts can write",
        change: "refused",
        changeNote: "create a new pool instead",
      })
      .optional(),
    installAgent: installAgent.optional(),
    clone: oneOf(["full", "linked"])
      .meta({
        description:
          "Whether a machine has a full copy of the template's disk, or only the differences to it. A linked clone is made at once, stays on the template's storage, and needs the template as long as it exists.",
        otherwise: "`full`",
        change: "newNodes",
      })
      .optional(),
    cpuType: text("the name of a CPU type of Proxmox VE", /^[A-Za-z0-9][A-Za-z0-9._-]*$/, {
      hint: "for example x86-64-v2-AES or host",
      example: "host",
    })
      .meta({
        description:
          "CPU type of the machines. The default runs on all processors since about 2013, so machines can move between hosts. `host` is the fastest, but then a machine can move only between equal processors.",
        change: "reboot",
        independent: true,
      })
      .default("x86-64-v2-AES"),
    bios: oneOf(["seabios", "ovmf"])
      .meta({
        description:
          "Firmware of the machines: BIOS (`seabios`) or UEFI (`ovmf`). The template or image must have been made for it; for `ovmf` a template also needs an EFI disk (`efidisk0`).",
        otherwise: "the template's",
        change: "newNodes",
        independent: true,
      })
      .optional(),
    machine: oneOf(["i440fx", "q35"])
      .meta({
        description: "Chipset of the machines. `q35` has PCI Express, which a device that is passed through may need.",
        otherwise: "the template's",
        change: "newNodes",
        independent: true,
      })
      .optional(),
    disks: furtherDisks.default([]),
    disksVmIds: vmIds
      .meta({
        description:
          "VMIDs of the guests that keep the further disks, one for each node, in the form of `vmIds`. Such a guest never runs. It owns the disks, because Proxmox VE deletes a machine together with all disks that it owns.",
        example: { from: 320 },
        otherwise: "needed only with `disks`",
        ...KEEPER,
      })
      .optional(),
    nodes,
  })
  .meta({ description: "Keys of pools of virtual machines (`kind: vm`)." });
