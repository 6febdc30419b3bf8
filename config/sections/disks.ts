import { z } from "zod";
import { boolean, disk, text } from "../fields";
import { storage } from "./placement";

/** A disk of a virtual machine beside its root disk. */
const furtherDisk = z.strictObject({
  serial: text("at most 20 lowercase letters, digits and inner hyphens", /^[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?$/, {
    hint: "it names the disk in the machine: /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_<serial>; for example data",
    example: "data",
  }),
  size: disk,
  storage: storage.optional(),
  longhorn: boolean.default(false),
});
export const furtherDisks = z.array(furtherDisk).meta({
  description:
    "Disks beside the root disk: `serial`, `size` and, if it is not the pool's, `storage`. With `longhorn: true` the disk is for Longhorn: ext4, mounted at `/mnt/longhorn/<serial>` and given to it ([storage](storage.md)); it must be larger than 10GB. They outlive the machine: a rebuild attaches them again (`removal.onDisks` says what happens when the node leaves). The machine has each as `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_<serial>`.",
  example: [{ serial: "data", size: "100GB" }],
  change: "live",
  changeNote:
    "a disk is added and grows in place; Longhorn gets a disk, or moves its replicas off it first; taking one away or a smaller one is refused, and a storage counts when the disk is made",
});
/** Of the guest that keeps the disks. */
export const KEEPER = {
  change: "refused",
  changeNote: "the disks cannot move to another guest",
} as const;
