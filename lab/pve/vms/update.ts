import { spawnSync } from "node:child_process";
import type { TaskLog } from "../driver";
import { failure, messageOf, parameterError } from "../errors";
import type { GuestConfigFile } from "../guestConfig";
import { assertPublicKeys } from "../guests/create";
import { assertUnprotected } from "../guests/draft";
import { isRunning } from "../guests/lifecycle";
import { dropUnchanged, uniqueTags } from "../guests/update";
import type { VmNode } from "../node";
import { splitList } from "../schema/formats";
import { parsePropertyString } from "../schema/propertyString";
import type { Params } from "../schema/schema";
import { withCdrom, withMacs } from "./create";
import { isCdrom, isCloudInit, parseDrive, randomUuid } from "./drives";
import { isDriveKey, memoryFormat, vmOptions } from "./options";
import { applyPendingToVm, hotplugIntoVm, queueDeletion, queueOption } from "./pending";
import { checkDrive, checkDriveStorages, checkVmBridge, checkVmOptions, type VmCheck } from "./permissions";
import { placeDrives } from "./placement";

/** The changes that a call asks for. */
export interface VmChange {
  readonly vmid: number;
  readonly set: Params;
  readonly delete: readonly string[];
  readonly revert: readonly string[];
  /** Whether the volumes of removed drives are also destroyed. */
  readonly force: boolean;
  readonly digest?: string;
  readonly skipLock: boolean;
}

/** Parameters of the call that are no options of the machine. */
const callOnly = new Set([
  ...["node", "vmid", "delete", "revert", "force", "digest", "skiplock", "background_delay", "import-working-storage"],
]);

/** Reads and checks a change before anything is locked. @throws ApiError */
export function readVmChange(params: Params): VmChange {
  const { delete: deletions, revert, digest } = params;
  const set = withMacs(withCdrom(Object.fromEntries(Object.entries(params).filter(([key]) => !callOnly.has(key)))));
  if (Object.keys(set).length === 0 && !deletions && !revert) throw failure("no options specified");
  if (set["sshkeys"] !== undefined) assertPublicKeys(decodeURIComponent(set["sshkeys"]));
  if (set["vmgenid"] === "1") set["vmgenid"] = randomUuid();
  const change = {
    ...{ vmid: Number(params["vmid"]), set, revert: splitList(revert), force: params["force"] === "1" },
    delete: splitList(deletions).map((key) => (key === "cdrom" ? "ide2" : key)),
    skipLock: params["skiplock"] === "1",
    ...(digest !== undefined && { digest }),
  };
  assertConsistent(change);
  return change;
}

/** Checks who may make a change, and whether it is possible now: PVE does so before it locks, and again with the lock. */
export function checkVmChange(node: VmNode, user: string, change: VmChange): GuestConfigFile {
  const check = vmCheck(node, user, change.vmid);
  checkVmOptions(check, change.set, change.delete);
  checkDriveStorages(check, change.set);
  const { file, digest } = node.guests.load(change.vmid);
  if (change.digest && change.digest !== digest) throw failure("checksum mismatch (file change by other user?)");
  if (!change.skipLock) node.guests.assertUnlocked(file);
  const { memory, balloon } = change.set;
  if (memory !== undefined || balloon !== undefined) {
    const wanted = (key: string) => change.set[key] ?? file.pending.options.get(key) ?? file.options.get(key);
    const mebibytes = Number(parsePropertyString(wanted("memory") ?? "512", memoryFormat)["current"]);
    if (Number(wanted("balloon") ?? 0) > mebibytes)
      throw failure("balloon value too large (must be smaller than assigned memory)");
  }
  return file;
}

/** `PUT …/config` while the machine is locked, or the work of a `qmconfig` task. */
export async function updateVm(node: VmNode, user: string, change: VmChange, log: TaskLog): Promise<void> {
  const { vmid, set } = change;
  await node.guests.withLock(vmid, async () => {
    checkVmChange(node, user, change);
    const check = vmCheck(node, user, vmid);
    const draft = node.guests.edit(vmid);
    const touched = new Set<string>();
    const order = bootOrder(draft.options.get("boot"));
    const reorder = (devices: readonly string[]) => {
      queueOption(draft, "boot", `order=${devices.join(";")}`);
      touched.add("boot");
    };
    const revived: Params = {};
    const deletions = [...change.delete];
    for (const key of change.revert) {
      const current = draft.options.get(key);
      if (current !== undefined) revived[key] = current;
      else if (draft.pending.options.has(key)) deletions.push(key);
    }
    for (const key of deletions) {
      const value = draft.options.get(key) ?? draft.pending.options.get(key);
      if (value === undefined) {
        log(`cannot delete '${key}' - not set in current configuration!`);
        continue;
      }
      touched.add(key);
      if (/^unused\d+$/.test(key)) {
        assertUnprotected(draft, `can't remove unused disk '${value}'`);
        check.permissions.checkGuest(user, vmid, undefined, ["VM.Config.Disk"]);
        await node.driver.removeDisk(vmid, value);
        draft.options.delete(key);
        continue;
      }
      if (isDriveKey(key)) checkDrive(check, parseDrive(key, value));
      if (/^net\d+$/.test(key)) checkVmBridge(check, value);
      if (order.includes(key)) {
        order.splice(order.indexOf(key), 1);
        reorder(order);
      }
      queueDeletion(draft, key);
    }
    for (const [key, value] of Object.entries({ ...revived, ...set }).sort(([a], [b]) => (a < b ? -1 : 1))) {
      touched.add(key);
      if (isDriveKey(key) && !(key in revived)) {
        for (const text of [draft.options.get(key), value])
          if (text !== undefined) checkDrive(check, parseDrive(key, text));
        const { values, disks } = placeDrives({ [key]: value }, draft, { vmid, storages: node.storages, log });
        for (const disk of disks) await node.driver.addDisk(vmid, disk, log);
        queueOption(draft, key, values.get(key)!);
        const drive = parseDrive(key, values.get(key)!);
        if (order.length > 0 && isCdrom(drive) && !isCloudInit(drive) && !order.includes(key)) {
          order.push(key);
          reorder(order);
        }
      } else if (key === "cipassword") draft.options.set(key, encrypted(value));
      else queueOption(draft, key, checkedOption(draft, key, value, change));
    }
    dropUnchanged(draft);
    if (await isRunning(node, vmid)) await plug(node, vmid, draft, touched);
    else applyPendingToVm(draft, { vmid, storages: node.storages });
    if (change.force) await removeUnused(node, vmid, draft, change.delete);
    node.guests.write(vmid, draft);
  });
}

function vmCheck(node: VmNode, user: string, vmid: number): VmCheck {
  return { permissions: node.access.permissions(), storages: node.storages, user, vmid };
}

type EditedVm = ReturnType<VmNode["guests"]["edit"]>;

async function plug(node: VmNode, vmid: number, draft: EditedVm, touched: ReadonlySet<string>): Promise<void> {
  const changed = hotplugIntoVm(draft, touched);
  await node.driver.apply(vmid, draft, changed).catch((error: unknown) => {
    throw parameterError(Object.fromEntries(changed.map((key) => [key, `hotplug problem - ${messageOf(error)}`])));
  });
}

/** With `force` the volumes that were just removed are destroyed instead of kept. */
async function removeUnused(node: VmNode, vmid: number, draft: EditedVm, keys: readonly string[]): Promise<void> {
  const before = node.guests.load(vmid).file.options;
  for (const key of keys) {
    const text = before.get(key);
    if (text === undefined || !isDriveKey(key)) continue;
    const { file } = parseDrive(key, text);
    const unused = [...draft.options].find(([name, volid]) => /^unused\d+$/.test(name) && volid === file);
    if (!unused) continue;
    await node.driver.removeDisk(vmid, file);
    draft.options.delete(unused[0]);
  }
}

/** The value as PVE keeps it, after the checks for this option. */
function checkedOption(draft: EditedVm, key: string, value: string, change: VmChange): string {
  if (key === "tags") return uniqueTags(value);
  if (key !== "boot") return value;
  const devices = bootOrder(value);
  const has = (device: string) =>
    draft.options.has(device) || draft.pending.options.has(device) || change.set[device] !== undefined;
  for (const device of devices)
    if (!has(device) || change.delete.includes(device))
      throw failure(`invalid bootorder: device '${device}' does not exist'`);
  return devices.length > 0 ? `order=${devices.join(";")}` : value;
}

function bootOrder(boot: string | undefined): string[] {
  return splitList(/(?:^|,)order=([^,]+)/.exec(boot ?? "")?.[1]);
}

/** Hashes a password as crypt(3), unless it is hashed already. Passes it by standard input, where nobody else sees it. */
function encrypted(password: string): string {
  if (/^\$(?:[156]|2[ay])(\$.+){2}/.test(password)) return password;
  const { stdout, status } = spawnSync("openssl", ["passwd", "-5", "-stdin"], { input: password, encoding: "utf8" });
  if (status !== 0) throw failure("unable to encrypt the password");
  return stdout.trim();
}

/** @throws ApiError 400 for unknown options, and for ones in more than one of set, delete and revert. */
function assertConsistent(change: VmChange): void {
  for (const key of change.revert) {
    if (!(key in vmOptions)) throw parameterError({ revert: `unknown option '${key}'` });
    if (key in change.set)
      throw parameterError({ delete: `you can't use '-${key}' and -revert ${key}' at the same time` });
  }
  for (const key of change.delete) {
    if (key in change.set)
      throw parameterError({ delete: `you can't use '-${key}' and -delete ${key}' at the same time` });
    if (change.revert.includes(key))
      throw parameterError({ revert: `you can't use '-delete ${key}' and -revert ${key}' at the same time` });
    if (!(key in vmOptions)) throw parameterError({ delete: `unknown option '${key}'` });
  }
}
