import { failure, permissionDenied } from "../errors";
import { root, type Permissions } from "../access/permissions";
import type { GuestConfig } from "../guestConfig";
import type { ContainerNode } from "../node";
import { parsePropertyString, type Properties } from "../schema/propertyString";
import type { Params } from "../schema/schema";
import type { StorageStore } from "../storage/storageStore";
import { featuresFormat, isVolumeKey, networkFormat } from "./options";
import { newDisk, parseVolume, storageOf } from "./volumes";

export interface ModifyCheck {
  readonly permissions: Permissions;
  readonly storages: StorageStore;
  readonly user: string;
  readonly vmid: number;
  /** The pool that a new guest goes to. */
  readonly pool?: string | undefined;
  /** What is configured now; undefined for a new guest. */
  readonly current?: GuestConfig;
  readonly unprivileged: boolean;
}

/** The check for a change of an existing container. */
export function checkOfChange(node: ContainerNode, user: string, vmid: number, current: GuestConfig): ModifyCheck {
  const unprivileged = current.options.get("unprivileged") === "1";
  return { permissions: node.access.permissions(), storages: node.storages, user, vmid, current, unprivileged };
}

/**
 * Who may change which option: `PVE::LXC::check_ct_modify_config_perm`. Only `root@pam` itself is not checked; an API token
 * of root is.
 *
 * @throws ApiError 403 with PVE's text.
 */
export function checkModify(check: ModifyCheck, set: Params, deletions: readonly string[] = []): void {
  if (check.user === root) return;
  for (const key of Object.keys(set)) checkOption(check, key, set[key]);
  for (const key of deletions) checkOption(check, key, undefined);
}

/** `value` is undefined if the option is deleted or reverted. */
function checkOption(check: ModifyCheck, key: string, value: string | undefined): void {
  const { permissions, user, vmid, pool } = check;
  const need = (...privileges: string[]) => permissions.checkGuest(user, vmid, pool, privileges);
  const old = check.current?.options.get(key);
  if (/^(cores|cpuunits|cpulimit)$/.test(key)) need("VM.Config.CPU");
  else if (isVolumeKey(key)) {
    need("VM.Config.Disk");
    if (value !== undefined) checkVolume(check, key, value);
  } else if (/^(memory|swap)$/.test(key)) need("VM.Config.Memory");
  else if (/^net\d+$/.test(key)) {
    need("VM.Config.Network");
    for (const network of [old, value])
      if (network !== undefined) checkBridge(check, parsePropertyString(network, networkFormat));
  } else if (/^dev\d+$/.test(key))
    throw permissionDenied("configuring device passthrough is only allowed for root@pam");
  else if (/^(nameserver|searchdomain|hostname)$/.test(key)) need("VM.Config.Network");
  else if (key === "features") checkFeatures(check, old, value);
  else if (key === "hookscript") throw permissionDenied("changing the hookscript is only allowed for root@pam");
  else need("VM.Config.Options");
}

function checkVolume({ permissions, storages, user, vmid }: ModifyCheck, key: string, value: string): void {
  const { type, volume } = parseVolume(key, value);
  if (type !== "volume") throw permissionDenied(`mount point type ${type} is only allowed for root@pam`);
  const wanted = newDisk(volume);
  if (wanted) permissions.check(user, `/storage/${wanted.storage}`, ["Datastore.AllocateSpace"]);
  else checkVolumeAccess({ permissions, storages, user, vmid }, volume, "rootdir");
}

/** A bridge of the host belongs to the zone `localnetwork`; each of its VLANs has its own path. */
export function checkBridge(
  { permissions, user }: Pick<ModifyCheck, "permissions" | "user">,
  { bridge, tag, trunks }: Properties,
): void {
  if (bridge === undefined) return;
  const zone = `/sdn/zones/localnetwork/${bridge}`;
  const vlans = [...(tag ? [tag] : []), ...(trunks?.split(";") ?? [])];
  for (const path of vlans.length > 0 ? vlans.map((vlan) => `${zone}/${vlan}`) : [zone])
    permissions.check(user, path, ["SDN.Use"]);
}

/**
 * On an unprivileged container, a user who may create it may change only the feature `nesting`; all others need root@pam. A
 * flag that was absent and is now `0` counts as changed.
 */
function checkFeatures(check: ModifyCheck, old: string | undefined, value: string | undefined): void {
  if (!check.unprivileged)
    throw permissionDenied("changing feature flags for privileged container is only allowed for root@pam");
  const before = old === undefined ? undefined : parsePropertyString(old, featuresFormat);
  const after = value === undefined ? undefined : parsePropertyString(value, featuresFormat);
  const changed =
    before && after
      ? Object.keys({ ...before, ...after }).filter((flag) => (before[flag] ?? "") !== (after[flag] ?? ""))
      : Object.keys(before ?? after ?? {});
  if (changed.some((flag) => flag !== "nesting"))
    throw permissionDenied("changing feature flags (except nesting) is only allowed for root@pam");
  if (changed.length > 0) check.permissions.checkGuest(check.user, check.vmid, check.pool, ["VM.Allocate"]);
}

/** `PVE::Storage::check_volume_access`: who may use a volume that exists. */
export function checkVolumeAccess(
  { permissions, storages, user, vmid }: Pick<ModifyCheck, "permissions" | "storages" | "user"> & { vmid?: number },
  volid: string,
  content?: string,
): void {
  const storage = storageOf(volid);
  const found = storages.describe(volid);
  const fits = found.content === content || (content === "rootdir" && found.content === "images");
  if (content !== undefined && !fits)
    throw failure(`unable to use volume ${volid} - content type needs to be '${content}'`);
  if (permissions.has(user, `/storage/${storage}`, ["Datastore.Allocate"])) return;
  if (found.vmid === undefined)
    permissions.check(user, `/storage/${storage}`, ["Datastore.AllocateSpace", "Datastore.Audit"], true);
  else if (found.vmid !== vmid) {
    permissions.check(user, `/storage/${storage}`, ["Datastore.Audit"]);
    permissions.check(user, `/vms/${found.vmid}`, ["VM.Config.Disk"]);
  }
}
