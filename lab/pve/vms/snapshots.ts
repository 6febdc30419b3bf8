import { failure } from "../errors";
import type { GuestConfig } from "../guestConfig";
import { isRunning, startTask } from "../guests/lifecycle";
import type { VmNode } from "../node";
import type { Params } from "../schema/schema";
import { drivesOf, isDisk } from "./drives";

// Snapshots of disks and configuration, as `PVE::AbstractConfig` makes them, without a machine's memory.

/** A `qmsnapshot` task. @throws ApiError 500 for a reserved name. */
export function snapshotTask(node: VmNode, user: string, params: Params): string {
  const { snapname: name = "", description, vmstate } = params;
  const vmid = Number(params["vmid"]);
  if (/^(current|pending)$/i.test(name)) throw failure(`unable to use snapshot name '${name}' (reserved name)`);
  node.guests.load(vmid);
  if (vmstate === "1") throw failure("this double cannot save a machine's memory");
  return node.tasks.start("qmsnapshot", String(vmid), user, () =>
    node.guests.withLock(vmid, async () => {
      const draft = node.guests.edit(vmid);
      if (draft.options.get("template") === "1") throw failure("you can't take a snapshot if it's a template");
      node.guests.assertUnlocked(draft);
      if (draft.snapshots.has(name)) throw failure(`snapshot name '${name}' already used`);
      await node.driver.takeSnapshot(vmid, name, volumes(draft));
      const kept = [...draft.options].filter(([key]) => !/^(description|lock|snaptime|unused\d+)$/.test(key));
      draft.snapshots.set(name, {
        options: new Map([
          ...kept,
          ["snaptime", String(Math.floor(Date.now() / 1000))],
          ...(description ? [["description", description] as const] : []),
        ]),
        raw: [],
      });
      draft.options.set("parent", name);
      node.guests.write(vmid, draft);
    }),
  );
}

/** A `qmrollback` task, which ends a running machine. */
export function rollbackTask(node: VmNode, user: string, params: Params): string {
  const { snapname: name = "", start } = params;
  const vmid = Number(params["vmid"]);
  if (start === "1") node.access.permissions().check(user, `/vms/${vmid}`, ["VM.PowerMgmt"]);
  return node.tasks.start("qmrollback", String(vmid), user, async (log) => {
    await node.guests.withLock(vmid, async () => {
      const draft = node.guests.edit(vmid);
      const snapshot = requireSnapshot(draft.snapshots, name);
      node.guests.assertUnlocked(draft);
      if (await isRunning(node, vmid)) await node.driver.stop(vmid, log);
      await node.driver.rollBack(vmid, name, volumes(snapshot));
      const own = [...draft.options].filter(([key]) => /^(description|unused\d+)$/.test(key));
      const restored = [...snapshot.options].filter(([key]) => !/^(description|snaptime)$/.test(key));
      draft.options.clear();
      for (const [key, value] of [...restored, ...own, ["parent", name] as const]) draft.options.set(key, value);
      draft.pending.options.clear();
      draft.pending.deletions = [];
      node.guests.write(vmid, draft);
    });
    if (start === "1") await startTask(node, user, vmid);
  });
}

/** A `qmdelsnapshot` task. The parent of the snapshot becomes the parent of its children. */
export function deleteSnapshotTask(node: VmNode, user: string, params: Params): string {
  const { snapname: name = "" } = params;
  const vmid = Number(params["vmid"]);
  return node.tasks.start("qmdelsnapshot", String(vmid), user, () =>
    node.guests.withLock(vmid, async () => {
      const draft = node.guests.edit(vmid);
      const snapshot = requireSnapshot(draft.snapshots, name);
      node.guests.assertUnlocked(draft);
      await node.driver.removeSnapshot(vmid, name, volumes(snapshot));
      const before = snapshot.options.get("parent");
      draft.snapshots.delete(name);
      const adopt = (options: ReadonlyMap<string, string>) => {
        if (options.get("parent") !== name) return options;
        const others = [...options].filter(([key]) => key !== "parent");
        return new Map(before === undefined ? others : [...others, ["parent", before]]);
      };
      for (const [other, { options, raw }] of draft.snapshots)
        draft.snapshots.set(other, { options: adopt(options), raw });
      node.guests.write(vmid, { ...draft, options: adopt(draft.options) });
    }),
  );
}

/** The snapshots, and last the machine's current state. */
export async function listSnapshots(node: VmNode, vmid: number): Promise<unknown> {
  const { file, digest } = node.guests.load(vmid);
  const parentOf = ({ options }: GuestConfig) => options.has("parent") && { parent: options.get("parent") };
  return [
    ...[...file.snapshots].map(([name, snapshot]) => ({
      name,
      snaptime: Number(snapshot.options.get("snaptime") ?? 0),
      vmstate: 0,
      description: snapshot.options.get("description") ?? "",
      ...parentOf(snapshot),
    })),
    {
      ...{ name: "current", digest, description: "You are here!", running: Number(await isRunning(node, vmid)) },
      ...parentOf(file),
    },
  ];
}

/** @throws ApiError 500. */
export function requireSnapshot(snapshots: ReadonlyMap<string, GuestConfig>, name: string): GuestConfig {
  const found = snapshots.get(name);
  if (!found) throw failure(`snapshot '${name}' does not exist`);
  return found;
}

function volumes(config: GuestConfig): string[] {
  return drivesOf(config)
    .filter(isDisk)
    .map(({ file }) => file);
}
