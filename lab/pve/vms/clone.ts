import type { DiskCopy, TaskLog } from "../driver";
import { failure, messageOf, permissionDenied, WorkerKilled } from "../errors";
import { guestConfig, type GuestConfig } from "../guestConfig";
import { draftOf, type Draft } from "../guests/draft";
import { isRunning } from "../guests/lifecycle";
import { nextDiskNumber, storageOf } from "../guests/volumes";
import type { VmNode } from "../node";
import { parsePropertyString, printPropertyString } from "../schema/propertyString";
import { smbiosFormat } from "../schema/vmFormats";
import type { Params } from "../schema/schema";
import type { StorageStore } from "../storage/storageStore";
import {
  isCdrom,
  isCloudInit,
  isDisk,
  parseDrive,
  printDrive,
  randomUuid,
  volumeFormat,
  withMac,
  type Drive,
} from "./drives";
import { isDriveKey } from "./options";
import { assertHoldsImages, checkVmBridge } from "./permissions";

interface CloneRequest {
  readonly vmid: number;
  readonly newid: number;
  readonly params: Params;
  /** Whether the source ran at the time of the call. */
  readonly running: boolean;
}

interface Plan {
  readonly draft: Draft;
  readonly drives: readonly Drive[];
  readonly full: boolean;
  readonly sourceName: string;
}

/**
 * `POST /nodes/{node}/qemu/{vmid}/clone`: checks, then a `qmclone` task, which belongs to the source's VMID and checks
 * again. Clones of a stopped machine run in parallel; a running source is locked during the copy.
 *
 * @returns the UPID.
 */
export async function cloneVm(node: VmNode, user: string, params: Params): Promise<string> {
  const [vmid, newid] = [Number(params["vmid"]), Number(params["newid"])];
  const request = { vmid, newid, params, running: await isRunning(node, vmid) };
  await planClone(node, user, request);
  return node.tasks.start("qmclone", String(vmid), user, (log) => {
    const copy = () => node.guests.withLock(newid, () => copyVm(node, user, request, log));
    return request.running ? node.guests.withLock(vmid, copy) : copy();
  });
}

async function planClone(node: VmNode, user: string, request: CloneRequest): Promise<Plan> {
  const { vmid, newid, params, running } = request;
  const { pool, storage, target, snapname, format } = params;
  if (pool !== undefined && !node.access.read().pools.has(pool))
    throw permissionDenied(`pool '${pool}' does not exist`);
  if (target !== undefined && ![node.name, "localhost"].includes(target))
    throw failure(`no such cluster node '${target}'`);
  if (storage !== undefined) assertHoldsImages(node.storages, storage);
  const { file } = node.guests.load(vmid);
  node.guests.assertUnlocked(file);
  if ((await isRunning(node, vmid)) !== running) throw failure("unexpected state change");
  const source: GuestConfig | undefined = snapname === undefined ? file : file.snapshots.get(snapname);
  if (!source) throw failure(`snapshot '${snapname}' does not exist`);
  const full = params["full"] === undefined ? file.options.get("template") !== "1" : params["full"] === "1";
  for (const [name, value] of Object.entries({ storage, format }))
    if (value !== undefined && !full) throw failure(`parameter '${name}' not allowed for linked clones`);
  const permissions = node.access.permissions();
  const drives: Drive[] = [];
  const options = new Map([["lock", "clone"]]);
  for (const [key, value] of [...source.options].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (/^net\d+$/.test(key)) {
      checkVmBridge({ permissions, user }, value);
      options.set(key, withMac(value, true));
    } else if (isDriveKey(key)) {
      const drive = parseDrive(key, value);
      if (isCdrom(drive) && !isCloudInit(drive)) {
        options.set(key, value);
        continue;
      }
      if (!isCdrom(drive))
        permissions.check(user, `/storage/${storage ?? storageOf(drive.file)}`, ["Datastore.AllocateSpace"]);
      if (!full && !isCloudInit(drive) && !isBase(drive.file))
        throw failure(`Linked clone feature is not supported for '${drive.file}' (${key})`);
      drives.push(drive);
    } else if (!notCopied.test(key)) options.set(key, value);
  }
  if (node.guests.exists(newid)) throw failure(`unable to create VM ${newid}: config file already exists`);
  node.guests.assertUnused(newid);
  return { draft: draftOf(guestConfig(options)), drives, full, sourceName: source.options.get("name") ?? String(vmid) };
}

/** Everything else is copied to the clone. */
const notCopied = /^(unused\d+|parent|snaptime|snapstate|vmstate|running.*|template|lock)$/;

/** A disk of a template, from which linked clones are made. */
export function isBase(volid: string): boolean {
  return /[:/]base-\d+-disk-\d+(\.\w+)?$/.test(volid);
}

async function copyVm(node: VmNode, user: string, request: CloneRequest, log: TaskLog): Promise<void> {
  const { vmid, newid, params } = request;
  const { draft, drives, full, sourceName } = await planClone(node, user, request);
  log(`creating a clone of VM ${vmid} with ID ${newid}`);
  const { options } = draft;
  const smbios = options.get("smbios1");
  options.set(
    "smbios1",
    printPropertyString(
      { ...(smbios !== undefined && parsePropertyString(smbios, smbiosFormat)), uuid: randomUuid() },
      smbiosFormat,
    ),
  );
  if (options.has("vmgenid")) options.set("vmgenid", randomUuid());
  options.set("name", params["name"] ?? `Copy-of-VM-${sourceName}`);
  if (params["description"]) options.set("description", params["description"]);
  // The VMID is taken from now on, as in PVE's `# qmclone temporary file`.
  node.guests.write(newid, guestConfig([["lock", "clone"]]));
  try {
    const copies: DiskCopy[] = [];
    for (const drive of drives) {
      const isFull = full || isCloudInit(drive);
      log(`create ${isFull ? "full" : "linked"} clone of drive ${drive.key} (${drive.file})`);
      const to = copyName(node.storages, newid, drive, draft, params, isFull);
      node.storages.allocate(to);
      options.set(drive.key, printDrive(drive, { ...drive.properties, file: to }));
      if (isDisk(drive)) copies.push({ from: drive.file, to, linked: !isFull });
    }
    await node.driver.clone(vmid, newid, draft, copies, log);
    options.delete("lock");
    node.guests.write(newid, draft);
    const { pool } = params;
    if (pool !== undefined) node.access.update((config) => config.pools.get(pool)?.vms.add(newid));
  } catch (error) {
    if (error instanceof WorkerKilled) throw error;
    await node.driver.destroy(newid, log).catch((cause: unknown) => log(`cleaning up failed: ${messageOf(cause)}`));
    node.guests.remove(newid);
    throw failure(`clone failed: ${messageOf(error)}`);
  }
}

/** The volume of a copy. A linked one is on the storage of its base, and contains the base's name if volumes are files. */
function copyName(
  storages: StorageStore,
  newid: number,
  drive: Drive,
  draft: Draft,
  { storage, format }: Params,
  isFull: boolean,
): string {
  const from = storageOf(drive.file);
  const target = storage ?? from;
  const wanted = format ?? volumeFormat(drive.file);
  if (isCloudInit(drive)) return storages.volumeName(target, newid, `vm-${newid}-cloudinit`, wanted);
  const number = nextDiskNumber(newid, draft);
  if (isFull) return storages.diskName(target, newid, number, wanted);
  if (storages.get(from).type !== "dir") return storages.diskName(from, newid, number);
  const [, base] = drive.file.split(":");
  return storages.diskName(from, newid, number, "qcow2").replace(":", `:${base}/`);
}
