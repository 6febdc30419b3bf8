import type { TaskLog } from "../driver";
import { failure, messageOf, permissionDenied, WorkerKilled } from "../errors";
import { guestConfig, type GuestConfig } from "../guestConfig";
import type { ContainerNode } from "../node";
import { parsePropertyString } from "../schema/propertyString";
import type { Params } from "../schema/schema";
import { draftOf, type Draft } from "./draft";
import { checkBridge } from "./guestPermissions";
import { isRunning } from "./lifecycle";
import { isVolumeKey, networkFormat } from "./options";
import { withNewMac } from "./update";
import { copied, parseVolume, storageOf, type Volume } from "./volumes";

interface CloneRequest {
  readonly vmid: number;
  readonly newid: number;
  readonly hostname?: string;
  readonly description?: string;
  readonly pool?: string;
  /** The storage of the copied disks; by default that of the source's. */
  readonly storage?: string;
  readonly snapshot?: string;
  readonly full?: boolean;
}

/** What the task will do: the new configuration without its disks, and the disks to copy. */
interface Plan {
  readonly draft: Draft;
  readonly volumes: readonly [key: string, volume: Volume][];
  readonly running: boolean;
}

/**
 * `POST /nodes/{node}/lxc/{vmid}/clone`, in the order of `PVE::API2::LXC::clone_vm`: locks the source (`disk`) and reserves
 * the new VMID before all other checks, and releases both if a check fails.
 *
 * @returns the UPID of a `vzclone` task, which belongs to the source's VMID.
 */
export async function cloneGuest(node: ContainerNode, user: string, params: Params): Promise<string> {
  const request = readRequest(params);
  const { vmid, newid, pool, storage } = request;
  if (pool !== undefined && !node.access.read().pools.has(pool))
    throw permissionDenied(`pool '${pool}' does not exist`);
  const { target } = params;
  if (target !== undefined && ![node.name, "localhost"].includes(target))
    throw failure(`no such cluster node '${target}'`);
  if (storage !== undefined) node.storages.get(storage);
  await lockSource(node, vmid);
  try {
    node.guests.assertUnused(newid);
    node.guests.write(newid, guestConfig([["lock", "create"]]));
    try {
      const plan = await planClone(node, user, request);
      node.guests.write(newid, plan.draft);
      return node.tasks.start("vzclone", String(vmid), user, (log) => copy(node, request, plan, log));
    } catch (error) {
      node.guests.remove(newid);
      throw error;
    }
  } catch (error) {
    await unlockSource(node, vmid);
    throw error;
  }
}

function readRequest(params: Params): CloneRequest {
  const { hostname, description, pool, storage, snapname, full } = params;
  return {
    vmid: Number(params["vmid"]),
    newid: Number(params["newid"]),
    ...(hostname !== undefined && { hostname }),
    ...(description !== undefined && { description }),
    ...(pool !== undefined && { pool }),
    ...(storage !== undefined && { storage }),
    ...(snapname !== undefined && { snapshot: snapname }),
    ...(full !== undefined && { full: full === "1" }),
  };
}

function lockSource(node: ContainerNode, vmid: number): Promise<void> {
  return node.guests.withLock(vmid, async () => {
    const draft = node.guests.edit(vmid);
    node.guests.assertUnlocked(draft);
    draft.options.set("lock", "disk");
    node.guests.write(vmid, draft);
  });
}

function unlockSource(node: ContainerNode, vmid: number): Promise<void> {
  return node.guests.withLock(vmid, async () => {
    const draft = node.guests.edit(vmid);
    if (draft.options.get("lock") !== "disk") return;
    draft.options.delete("lock");
    node.guests.write(vmid, draft);
  });
}

async function planClone(node: ContainerNode, user: string, request: CloneRequest): Promise<Plan> {
  const { vmid, hostname, description, storage, snapshot } = request;
  const stored = node.guests.load(vmid).file;
  const running = await isRunning(node, vmid);
  const full = request.full ?? stored.options.get("template") !== "1";
  if (storage !== undefined && !full) throw failure("parameter 'storage' not allowed for linked clones");
  const source: GuestConfig | undefined = snapshot === undefined ? stored : stored.snapshots.get(snapshot);
  if (!source) throw failure(`snapshot '${snapshot}' does not exist`);
  const permissions = node.access.permissions();
  const volumes: [string, Volume][] = [];
  const options = new Map<string, string>();
  for (const [key, value] of [...source.options].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (isVolumeKey(key)) {
      const volume = parseVolume(key, value);
      if (volume.type !== "volume") throw failure(`unable to clone mountpoint '${key}' (type ${volume.type})`);
      permissions.check(user, `/storage/${storage ?? storageOf(volume.volume)}`, ["Datastore.AllocateSpace"]);
      if (!full) throw failure(`Linked clone feature for '${volume.volume}' is not available`);
      if (running && snapshot === undefined)
        throw failure("Full clone of a running container is only possible from a snapshot");
      volumes.push([key, volume]);
    } else if (/^net\d+$/.test(key)) {
      checkBridge({ permissions, user }, parsePropertyString(value, networkFormat));
      options.set(key, withNewMac(value));
    } else if (!notCopied.test(key)) options.set(key, value);
  }
  options.set("lock", "create");
  if (hostname) options.set("hostname", hostname);
  if (description) options.set("description", description);
  return { draft: draftOf({ ...guestConfig(options, source.raw) }), volumes, running };
}

/** Everything else is copied to the clone, `features` and raw lines included. */
const notCopied = /^(unused\d+|parent|snaptime|snapstate|template|lock)$/;

async function copy(node: ContainerNode, request: CloneRequest, plan: Plan, log: TaskLog): Promise<void> {
  const { vmid, newid, pool } = request;
  const { draft } = plan;
  try {
    log(`creating a clone of container ${vmid} with ID ${newid}`);
    if ((await isRunning(node, vmid)) !== plan.running) throw failure("unexpected state change");
    for (const [key, volume] of plan.volumes) {
      log(`create full clone of mountpoint ${key} (${volume.volume})`);
      draft.options.set(key, copied(newid, key, volume, request.storage, draft, node.storages));
      node.storages.allocate(parseVolume(key, draft.options.get(key)!).volume);
      node.guests.write(newid, draft);
    }
    await node.driver.clone(vmid, newid, draft, log);
    if (pool !== undefined) node.access.update((config) => config.pools.get(pool)?.vms.add(newid));
  } catch (error) {
    if (error instanceof WorkerKilled) throw error;
    await node.driver.destroy(newid, log).catch((cause: unknown) => log(`cleaning up failed: ${messageOf(cause)}`));
    node.guests.remove(newid);
    await unlockSource(node, vmid);
    throw failure(`clone failed: ${messageOf(error)}`);
  }
  await unlockSource(node, vmid);
  draft.options.delete("lock");
  node.guests.write(newid, draft);
}
