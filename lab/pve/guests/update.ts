import { failure, messageOf } from "../errors";
import { checkNamedFormat, splitList } from "../schema/formats";
import { parsePropertyString, printPropertyString } from "../schema/propertyString";
import type { Params } from "../schema/schema";
import type { StorageStore } from "../storage/storageStore";
import { assertUnprotected, type Draft } from "./draft";
import { randomMac } from "./mac";
import { isVolumeKey, networkFormat } from "./options";
import { addUnused, allocated, parseVolume, storageOf } from "./volumes";

// `PVE::LXC::Config::update_pct_config` and what it calls: a change first goes to the pending section, then what can be
// applied is applied: everything on a stopped container, part of it on a running one.

export interface ConfigChange {
  readonly set: Params;
  readonly delete: readonly string[];
  readonly revert: readonly string[];
}

export interface UpdateContext {
  readonly vmid: number;
  readonly storages: StorageStore;
}

/** Options that take effect on a running container as soon as the file has them. */
const fastOptions = new Set([
  ...["description", "onboot", "startup", "protection", "hostname", "hookscript", "cores", "tags", "lock"],
]);

/** Options that PVE changes in a running container. */
function isHotPluggable(draft: Draft, key: string): boolean {
  if (/^(cpulimit|cpuunits|memory|swap|net\d+)$/.test(key)) return true;
  return /^(mp|dev)\d+$/.test(key) && !draft.options.has(key);
}

/** Whether a running container can lose it; mount points, DNS settings and the like stay until the next start. */
const isHotRemovable = (key: string) => /^(swap|cpulimit|cpuunits|net\d|unused\d+)$/.test(key);

/**
 * Puts a change into the pending section.
 *
 * @returns the options that it touches.
 */
export function queueChange(draft: Draft, change: ConfigChange, context: UpdateContext): Set<string> {
  const touched = new Set<string>();
  for (const key of change.revert) {
    draft.pending.options.delete(key);
    cancelDeletion(draft, key);
  }
  for (const key of change.delete) {
    // bpg lists interfaces that may not exist; PVE only logs a warning.
    if (!draft.options.has(key) && !draft.pending.options.has(key)) continue;
    touched.add(key);
    if (["memory", "rootfs", "ostype"].includes(key)) throw failure(`unable to delete required option '${key}'`);
    if (/^(unused|mp)\d+$/.test(key)) assertUnprotected(draft, `can't remove CT ${context.vmid} drive '${key}'`);
    if (key === "unprivileged") throw failure(`unable to delete read-only option: '${key}'`);
    cancelDeletion(draft, key);
    draft.pending.deletions.push(key);
    draft.pending.deletions.sort();
  }
  for (const [key, value] of Object.entries(change.set).sort(([a], [b]) => (a < b ? -1 : 1))) {
    touched.add(key);
    draft.pending.options.set(key, checkedValue(draft, key, value, context));
    cancelDeletion(draft, key);
  }
  dropUnchanged(draft);
  return touched;
}

/**
 * Applies what a running container accepts without a restart.
 *
 * @returns the options that changed, for the driver.
 */
export function hotplugPending(draft: Draft, touched: ReadonlySet<string>, context: UpdateContext): string[] {
  const changed: string[] = [];
  for (const key of [...draft.pending.deletions].filter((name) => touched.has(name))) {
    if (!fastOptions.has(key) && !isHotRemovable(key)) continue;
    draft.options.delete(key);
    cancelDeletion(draft, key);
    changed.push(key);
  }
  for (const [key, value] of [...draft.pending.options].filter(([name]) => touched.has(name))) {
    if (!fastOptions.has(key) && !isHotPluggable(draft, key)) continue;
    draft.options.set(key, storedValue(draft, key, value, context));
    draft.pending.options.delete(key);
    changed.push(key);
  }
  return changed.sort();
}

/**
 * Applies pending changes, all or only those in `touched`: at a start and for a stopped container.
 *
 * @returns those that failed, by option.
 */
export function applyPending(
  draft: Draft,
  context: UpdateContext,
  touched?: ReadonlySet<string>,
): Record<string, string> {
  const errors: Record<string, string> = {};
  const isWanted = (key: string) => touched?.has(key) ?? true;
  for (const key of draft.pending.deletions.filter(isWanted)) {
    const value = draft.options.get(key);
    draft.options.delete(key);
    cancelDeletion(draft, key);
    if (value !== undefined && isVolumeKey(key)) keepVolume(draft, key, value);
  }
  dropUnchanged(draft);
  for (const [key, value] of [...draft.pending.options].filter(([name]) => isWanted(name))) {
    try {
      const stored = storedValue(draft, key, value, context);
      const old = draft.options.get(key);
      draft.options.set(key, stored);
      draft.pending.options.delete(key);
      if (old !== undefined && /^mp\d+$/.test(key)) keepVolume(draft, key, old);
    } catch (error) {
      errors[key] = `unable to apply pending change ${key} : ${messageOf(error)}`;
    }
  }
  return errors;
}

/** Drops a queued deletion. */
export function cancelDeletion(draft: Draft, key: string): void {
  draft.pending.deletions = draft.pending.deletions.filter((name) => name !== key);
}

/** `cleanup_pending`: drops pending changes that would change nothing. */
export function dropUnchanged(draft: Draft): void {
  for (const [key, value] of draft.pending.options) {
    if (draft.options.get(key) === value) draft.pending.options.delete(key);
  }
  draft.pending.deletions = draft.pending.deletions.filter((key) => draft.options.has(key));
}

/** The value as PVE keeps it in the pending section, after the checks for this option. */
function checkedValue(draft: Draft, key: string, value: string, { vmid, storages }: UpdateContext): string {
  if (isVolumeKey(key)) {
    assertUnprotected(draft, `can't update CT ${vmid} drive '${key}'`);
    const { type, volume } = parseVolume(key, value);
    if (type === "volume") {
      const storage = storageOf(volume);
      if (!storages.get(storage).content.includes("rootdir"))
        throw failure(`storage '${storage}' does not allow content type 'rootdir' (Container)`);
    }
  }
  if (key === "unprivileged") throw failure(`unable to modify read-only option: '${key}'`);
  if (key === "nameserver") {
    splitList(value).forEach((server) => checkNamedFormat("lxc-ip-with-ll-iface", server));
    return splitList(value).join(" ");
  }
  if (key === "searchdomain") return splitList(value).join(" ");
  if (key === "tags") return uniqueTags(value);
  if (/^net\d+$/.test(key)) {
    const network = parsePropertyString(value, networkFormat, key);
    if (network["link_down"] !== "1" && network["host-managed"] === "1" && network["ip6"] === "auto")
      throw failure(`${key}: SLAAC is not supported for host-managed network configuration.`);
  }
  return value;
}

/** `get_unique_tags`. */
export function uniqueTags(tags: string): string {
  return [...new Set(splitList(tags.toLowerCase()))].sort().join(";");
}

/** The value as the main section has it: interfaces get a MAC address, new disks a name. */
function storedValue(draft: Draft, key: string, value: string, { vmid, storages }: UpdateContext): string {
  if (/^net\d+$/.test(key)) {
    const network = parsePropertyString(value, networkFormat, key);
    return printPropertyString({ ...network, type: "veth", hwaddr: network["hwaddr"] ?? randomMac() }, networkFormat);
  }
  if (/^mp\d+$/.test(key)) return allocated(vmid, key, value, draft, storages);
  return value;
}

function keepVolume(draft: Draft, key: string, value: string): void {
  const { type, volume } = parseVolume(key, value);
  const isUsed = [...draft.options].some(
    ([other, text]) => isVolumeKey(other) && parseVolume(other, text).volume === volume,
  );
  if (type === "volume" && !isUsed) addUnused(draft, volume);
}

/** The same network interface with a new MAC address. */
export function withNewMac(text: string): string {
  return printPropertyString({ ...parsePropertyString(text, networkFormat), hwaddr: randomMac() }, networkFormat);
}
