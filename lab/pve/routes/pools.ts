import { poolOf, type Pool, type UserConfig } from "../access/userConfig";
import { failure } from "../errors";
import type { Call, Endpoint } from "../http/endpoint";
import { allGuests } from "../node";
import { splitList } from "../schema/formats";
import { optional, required } from "../schema/schema";
import { guestResource } from "./cluster";
import { flag, text } from "./parameters";

const poolid = required("string", { format: "pve-poolid" });
const allocate = { path: "/pool/{poolid}", privileges: ["Pool.Allocate"] };
const kind = { enum: ["qemu", "lxc", "storage"] };
const changes = {
  comment: text,
  vms: optional("string", { format: "pve-vmid-list" }),
  storage: optional("string", { format: "pve-storage-id-list" }),
  "allow-move": flag,
  delete: flag,
};

/** Pools. PVE still serves the older forms with the name in the path. */
export const poolEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/pools",
    parameters: { poolid: { ...poolid, optional: true }, type: optional("string", { ...kind, requires: "poolid" }) },
    permission: "all",
    handle: async (call) => (call.params["poolid"] === undefined ? list(call) : [await read(call)]),
  },
  { method: "POST", path: "/pools", parameters: { poolid, comment: text }, permission: allocate, handle: create },
  { method: "PUT", path: "/pools", parameters: { poolid, ...changes }, permission: allocate, handle: update },
  { method: "DELETE", path: "/pools", parameters: { poolid }, permission: allocate, handle: remove },
  {
    method: "GET",
    path: "/pools/{poolid}",
    parameters: { poolid, type: optional("string", kind) },
    permission: { path: "/pool/{poolid}", privileges: ["Pool.Audit"] },
    handle: async (call) => {
      const { comment, members } = await read(call);
      return { ...(comment !== undefined && { comment }), members };
    },
  },
  { method: "PUT", path: "/pools/{poolid}", parameters: { poolid, ...changes }, permission: allocate, handle: update },
  { method: "DELETE", path: "/pools/{poolid}", parameters: { poolid }, permission: allocate, handle: remove },
];

function list({ node, user }: Call): unknown {
  const permissions = node.access.permissions();
  return [...node.access.read().pools]
    .filter(([name]) => permissions.has(user, `/pool/${name}`, ["Pool.Audit"]))
    .map(([name, { comment }]) => ({ poolid: name, ...(comment && { comment }) }));
}

async function read({ node, user, params }: Call): Promise<{ poolid: string; comment?: string; members: unknown[] }> {
  const name = params["poolid"]!;
  node.access.permissions().check(user, `/pool/${name}`, ["Pool.Audit"]);
  const { comment, vms, storage } = existing(node.access.read(), name);
  const { type } = params;
  const guests = allGuests(node).filter(
    ({ vmid, side }) => vms.has(vmid) && (type === undefined || type === side.kind.type),
  );
  const storages = type === undefined || type === "storage" ? [...storage].filter((id) => node.storages.has(id)) : [];
  const members = [
    ...(await Promise.all(guests.map(({ vmid, side }) => guestResource(node, vmid, side.kind)))),
    ...storages.map((id) => {
      const { type: plugintype, content } = node.storages.get(id);
      return {
        ...{ id: `storage/${node.name}/${id}`, storage: id, node: node.name, type: "storage", plugintype },
        ...{ status: "available", shared: 0, content: [...content].sort().join(",") },
      };
    }),
  ];
  return { poolid: name, ...(comment && { comment }), members };
}

function create({ node, params }: Call): void {
  const name = params["poolid"]!;
  node.access.update(({ pools }) => {
    if (pools.has(name)) throw failure(`pool '${name}' already exists`);
    const parent = name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : undefined;
    if (parent !== undefined && !pools.has(parent))
      throw failure(`parent '${parent}' of pool '${name}' does not exist`);
    if (!/^[A-Za-z]/.test(name.split("/").at(-1)!)) throw failure("pool name must start with a letter");
    pools.set(name, { comment: params["comment"] ?? "", vms: new Set(), storage: new Set() });
  });
}

function update({ node, user, params }: Call): void {
  const isRemoval = params["delete"] === "1";
  const permissions = node.access.permissions();
  node.access.update((config) => {
    const pool = existing(config, params["poolid"]!);
    if (params["comment"] !== undefined) pool.comment = params["comment"];
    for (const vmid of splitList(params["vms"]).map(Number)) {
      permissions.checkModify(user, `/vms/${vmid}`);
      if (isRemoval) {
        if (!pool.vms.delete(vmid)) throw failure(`VM ${vmid} is not a pool member`);
        continue;
      }
      if (pool.vms.has(vmid)) throw failure(`VM ${vmid} is already a pool member`);
      leaveOldPool(config, vmid, () => {
        const old = poolOf(config, vmid)!;
        if (params["allow-move"] !== "1")
          throw failure(`VM ${vmid} belongs already to pool '${old}' and 'allow-move' is not set`);
        permissions.check(user, `/pool/${old}`, ["Pool.Allocate"]);
      });
      pool.vms.add(vmid);
    }
    for (const id of splitList(params["storage"])) {
      permissions.checkModify(user, `/storage/${id}`);
      if (isRemoval) {
        if (!pool.storage.delete(id)) throw failure(`Storage '${id}' is not a pool member`);
      } else if (pool.storage.has(id)) throw failure(`Storage '${id}' is already a pool member`);
      else pool.storage.add(id);
    }
  });
}

/** A guest is in at most one pool. */
function leaveOldPool(config: UserConfig, vmid: number, check: () => void): void {
  const old = poolOf(config, vmid);
  if (old === undefined) return;
  check();
  config.pools.get(old)?.vms.delete(vmid);
}

function remove({ node, params }: Call): void {
  const name = params["poolid"]!;
  node.access.update((config) => {
    const { vms, storage } = existing(config, name);
    const child = [...config.pools.keys()].find((other) => other.startsWith(`${name}/`));
    const guest = allGuests(node).find(({ vmid }) => vms.has(vmid))?.vmid;
    const volume = [...storage].find((id) => node.storages.has(id));
    if (child !== undefined) throw failure(`pool '${name}' is not empty (contains pool '${child}')`);
    if (guest !== undefined) throw failure(`pool '${name}' is not empty (contains VM ${guest})`);
    if (volume !== undefined) throw failure(`pool '${name}' is not empty (contains storage '${volume}')`);
    config.pools.delete(name);
    config.acl.delete(`/pool/${name}`);
  });
}

function existing({ pools }: UserConfig, name: string): Pool {
  const pool = pools.get(name);
  if (!pool) throw failure(`pool '${name}' does not exist`);
  return pool;
}
