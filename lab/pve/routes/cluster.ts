import * as os from "node:os";
import { poolOf } from "../access/userConfig";
import { parameterError } from "../errors";
import type { GuestKind } from "../guests/kinds";
import { containerStatus } from "../guests/status";
import type { Call, Endpoint } from "../http/endpoint";
import { allGuests, pveVersion } from "../node";
import { optional } from "../schema/schema";
import { nodeEntry } from "./nodes";
import { optionalVmid } from "./parameters";
import { maySeeStorage } from "./storage";
import { vmStatus } from "../vms/status";

/** The API's version and endpoints for all nodes. */
export const clusterEndpoints: readonly Endpoint[] = [
  { method: "GET", path: "/version", parameters: {}, permission: "all", handle: () => pveVersion },
  {
    method: "GET",
    path: "/cluster/nextid",
    parameters: { vmid: optionalVmid },
    permission: "all",
    handle: nextId,
  },
  {
    method: "GET",
    path: "/cluster/resources",
    parameters: { type: optional("string", { enum: ["vm", "storage", "node", "sdn"] }) },
    permission: "all",
    handle: resources,
  },
  {
    method: "GET",
    path: "/cluster/status",
    parameters: {},
    permission: { path: "/", privileges: ["Sys.Audit"] },
    handle: ({ node }) => [
      { type: "node", id: `node/${node.name}`, name: node.name, nodeid: 0, local: 1, online: 1, level: "" },
    ],
  },
];

/** The lowest free VMID, or the given one if it is free. */
function nextId({ node, params }: Call): number {
  const wanted = params["vmid"];
  const used = new Set(allGuests(node).map(({ vmid }) => vmid));
  if (wanted !== undefined) {
    if (used.has(Number(wanted))) throw parameterError({ vmid: `VM ${wanted} already exists` });
    return Number(wanted);
  }
  let vmid = 100;
  while (used.has(vmid)) vmid += 1;
  return vmid;
}

async function resources({ node, user, params }: Call): Promise<unknown> {
  const { type } = params;
  const permissions = node.access.permissions();
  const config = node.access.read();
  const pools = [...config.pools.keys()].filter((name) => permissions.has(user, `/pool/${name}`, ["Pool.Audit"]));
  const guests = allGuests(node).filter(({ vmid }) => permissions.has(user, `/vms/${vmid}`, ["VM.Audit"]));
  const wants = (kind: string) => type === undefined || type === kind;
  return [
    ...(type === undefined ? pools.map((pool) => ({ id: `/pool/${pool}`, pool, type: "pool" })) : []),
    ...(wants("vm")
      ? await Promise.all(
          guests.map(async ({ vmid, side }) => {
            const pool = poolOf(config, vmid);
            return { ...(await guestResource(node, vmid, side.kind)), ...(pool && pools.includes(pool) && { pool }) };
          }),
        )
      : []),
    ...(wants("node") ? [nodeResource({ node, user, params })] : []),
    ...(wants("storage") ? storageResources({ node, user, params }) : []),
  ];
}

/** A guest's entry in lists of the whole cluster. */
export async function guestResource(
  node: Call["node"],
  vmid: number,
  { type }: GuestKind,
): Promise<Record<string, unknown>> {
  const status = await (type === "lxc" ? containerStatus(node.lxc, vmid) : vmStatus(node.qemu, vmid));
  const shown = Object.entries(status).filter(([key]) => resourceKeys.has(key));
  return {
    id: `${type}/${vmid}`,
    node: node.name,
    template: 0,
    ...Object.fromEntries(shown),
    type,
    maxcpu: status["cpus"],
  };
}

/** The fields of a guest's status that lists of the whole cluster have. */
const resourceKeys = new Set([
  ...["vmid", "status", "name", "cpu", "mem", "maxmem", "memhost", "disk", "maxdisk", "uptime"],
  ...["netin", "netout", "diskread", "diskwrite", "lock", "tags", "template"],
]);

function nodeResource(call: Call): Record<string, unknown> {
  return {
    ...nodeEntry(call),
    "cgroup-mode": call.node.cgroupMode(),
    "host-arch": os.arch() === "arm64" ? "aarch64" : "x86_64",
  };
}

function storageResources({ node, user }: Call): unknown[] {
  return node.storages
    .names()
    .filter((name) => maySeeStorage(node, user, name))
    .map((name) => {
      const { type, content } = node.storages.get(name);
      const { total, used } = node.storages.usage(name);
      return {
        id: `storage/${node.name}/${name}`,
        ...{ storage: name, node: node.name, type: "storage", plugintype: type, status: "available", shared: 0 },
        content: [...content].sort().join(","),
        disk: used,
        maxdisk: total,
      };
    });
}
