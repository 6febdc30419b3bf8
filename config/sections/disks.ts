import { z } from "zod";
import { boolean, disk, text } from "../fields";
import { storage } from "./placement";

/** A disk of a virtual machine, in addition to its root disk. */
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
    "Disks in addition to the root disk: `serial`, `size` and, if it is not the pool's, `storage`. With `longhorn: true` the disk is formatted with ext4, mounted at `/mnt/longhorn/<serial>` and given to Longhorn ([storage](storage.md)); it must be larger than 10GB. These disks outlive the machine: a rebuild attaches them again (`removal.onDisks` says what happens when the node leaves). In the machine, a disk is `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_<serial>`.",
  example: [{ serial: "data", size: "100GB" }],
  change: "live",
  changeNote:
    "disks are added and grow in place; a disk that is no longer for Longhorn is first emptied of replicas; removing or shrinking a disk is refused; `storage` applies only to new disks",
});
/** About the guest that keeps the disks. */
export const KEEPER = {
  change: "refused",
  changeNote: "the disks cannot move to another guest",
} as const;
