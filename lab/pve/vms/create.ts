import type { TaskLog } from "../driver";
import { failure, messageOf, parameterError, permissionDenied, WorkerKilled } from "../errors";
import { guestConfig } from "../guestConfig";
import { assertPublicKeys } from "../guests/create";
import { draftOf } from "../guests/draft";
import { startTask } from "../guests/lifecycle";
import { uniqueTags } from "../guests/update";
import type { VmNode } from "../node";
import type { Params } from "../schema/schema";
import { defaultBoot, randomUuid, withMac } from "./drives";
import { isDriveKey } from "./options";
import { checkDriveStorages, checkVmOptions } from "./permissions";
import { placeDrives } from "./placement";

/** Parameters of the call that are no options of the machine. */
const callOnly = new Set([
  ...["node", "vmid", "archive", "bwlimit", "force", "ha-managed", "import-working-storage", "live-restore", "pool"],
  ...["start", "storage", "unique"],
]);

/**
 * `POST /nodes/{node}/qemu`: checks in PVE's order, then a `qmcreate` task.
 *
 * @returns the UPID.
 */
export function createVm(node: VmNode, user: string, params: Params): string {
  const { pool, storage, start } = params;
  const vmid = Number(params["vmid"]);
  if (params["archive"] !== undefined) throw parameterError({ archive: "backups are not part of this node" });
  if (params["ha-managed"] === "1") throw failure("high availability is not part of this node");
  const set = withCdrom(Object.fromEntries(Object.entries(params).filter(([key]) => !callOnly.has(key))));
  if (set["sshkeys"] !== undefined) assertPublicKeys(decodeURIComponent(set["sshkeys"]));
  const permissions = node.access.permissions();
  if (pool !== undefined && !node.access.read().pools.has(pool))
    throw permissionDenied(`pool '${pool}' does not exist`);
  if (storage !== undefined) permissions.check(user, `/storage/${storage}`, ["Datastore.AllocateSpace"]);
  if (start === "1") permissions.checkGuest(user, vmid, pool, ["VM.PowerMgmt"]);
  const places = [`/vms/${vmid}`, ...(pool !== undefined ? [`/pool/${pool}`] : [])];
  if (!places.some((place) => permissions.has(user, place, ["VM.Allocate"]))) throw permissionDenied();
  const check = { permissions, storages: node.storages, user, vmid, ...(pool !== undefined && { pool }) };
  checkDriveStorages(check, set, storage);
  checkVmOptions(check, set);
  const options = withMacs(set);
  reserve(node, vmid);
  return node.tasks.start("qmcreate", String(vmid), user, async (log) => {
    await node.guests.withLock(vmid, async () => {
      try {
        await build(node, vmid, options, storage, log);
      } catch (error) {
        if (error instanceof WorkerKilled) throw error;
        if (node.guests.exists(vmid)) node.guests.remove(vmid);
        throw failure(`unable to create VM ${vmid} - ${messageOf(error)}`);
      }
      if (pool !== undefined) node.access.update((config) => config.pools.get(pool)?.vms.add(vmid));
    });
    if (start === "1") {
      log("Execute autostart");
      await startTask(node, user, vmid);
    }
  });
}

/** `cdrom` is another name of `ide2`. */
export function withCdrom({ cdrom, ...options }: Params): Params {
  if (cdrom === undefined) return options;
  return { ...options, ide2: cdrom.includes("media=") ? cdrom : `${cdrom},media=cdrom` };
}

export function withMacs(options: Params): Params {
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => [key, /^net\d+$/.test(key) ? withMac(value) : value]),
  );
}

/** Writes the file with its lock, so that the VMID is taken from now on. */
function reserve(node: VmNode, vmid: number): void {
  try {
    node.guests.assertUnused(vmid);
    node.guests.write(vmid, guestConfig([["lock", "create"]]));
  } catch (error) {
    throw failure(`unable to create VM ${vmid} - ${messageOf(error)}`);
  }
}

async function build(
  node: VmNode,
  vmid: number,
  asked: Params,
  storage: string | undefined,
  log: TaskLog,
): Promise<void> {
  const draft = draftOf(guestConfig(Object.entries(asked).filter(([key]) => !isDriveKey(key))));
  const placement = { vmid, storages: node.storages, log, ...(storage !== undefined && { storage }) };
  const { values, disks } = placeDrives(asked, draft, placement);
  for (const [key, value] of values) draft.options.set(key, value);
  const { options } = draft;
  const set = (key: string, value: string) => options.set(key, value);
  set("meta", `creation-qemu=10.1.2,ctime=${Math.floor(Date.now() / 1000)}`);
  if (!options.has("boot") && defaultBoot(draft)) set("boot", defaultBoot(draft));
  if (!options.has("smbios1")) set("smbios1", `uuid=${randomUuid()}`);
  if ((options.get("vmgenid") ?? "1") === "1") set("vmgenid", randomUuid());
  if (options.has("tags")) set("tags", uniqueTags(options.get("tags")!));
  try {
    await node.driver.create(vmid, draft, disks, log);
  } catch (error) {
    if (!(error instanceof WorkerKilled))
      await node.driver.destroy(vmid, log).catch((cause: unknown) => log(`cleaning up failed: ${messageOf(cause)}`));
    throw error;
  }
  node.guests.write(vmid, draft);
}
