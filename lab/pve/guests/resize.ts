import { failure } from "../errors";
import type { ContainerNode } from "../node";
import { formatSize, parseSize } from "../schema/sizes";
import { checkModify, checkOfChange } from "./guestPermissions";
import { assertUnchanged } from "./lifecycle";
import { parseVolume, printVolume, storageOf, volumeBytes } from "./volumes";

export interface Resize {
  disk: string;
  /** `16G`, or `+2G` to grow by. */
  size: string;
  digest?: string;
}

/** A disk's size after a resize to `16G` or by `+2G`. */
export function sizeAfter(bytes: number, size: string): number {
  const wanted = parseSize(size.replace(/^\+/, "")) ?? 0;
  return size.startsWith("+") ? bytes + wanted : wanted;
}

/** A `resize` task. @throws ApiError 500 if the disk would shrink or stay as it is. */
export function resizeTask(node: ContainerNode, user: string, vmid: number, { disk, size, digest }: Resize): string {
  const check = () => {
    const stored = node.guests.load(vmid);
    node.guests.assertUnlocked(stored.file);
    checkModify(checkOfChange(node, user, vmid, stored.file), { disk });
    assertUnchanged(digest, stored.digest);
    const text = stored.file.options.get(disk);
    if (text === undefined) throw failure(`no such disk '${disk}'`);
    const volume = parseVolume(disk, text);
    node.access.permissions().check(user, `/storage/${storageOf(volume.volume)}`, ["Datastore.AllocateSpace"]);
    const bytes = volumeBytes(volume);
    const newBytes = sizeAfter(bytes, size);
    if (newBytes < bytes) throw failure("unable to shrink disk size");
    if (newBytes === bytes) throw failure("disk is already at specified size");
    return printVolume(disk, { ...volume.properties, size: formatSize(newBytes) });
  };
  check();
  return node.tasks.start("resize", String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      const value = check();
      const draft = node.guests.edit(vmid);
      draft.options.set(disk, value);
      await node.driver.resize(vmid, draft, log);
      node.guests.write(vmid, draft);
    }),
  );
}
