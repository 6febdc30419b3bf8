import * as fs from "node:fs";
import * as os from "node:os";
import type { Call, Endpoint } from "../http/endpoint";
import { pveVersion } from "../node";
import { optional } from "../schema/schema";
import { onNode } from "./parameters";

const interfaceTypes = [
  ...["bridge", "bond", "eth", "alias", "vlan", "fabric", "OVSBridge", "OVSBond", "OVSPort", "OVSIntPort", "vnet"],
  ...["any_bridge", "any_local_bridge", "include_sdn"],
];

/** The node itself. Figures are those of the machine that the lab runs on. */
export const nodeEndpoints: readonly Endpoint[] = [
  { method: "GET", path: "/nodes", parameters: {}, permission: "all", handle: (call) => [nodeEntry(call)] },
  {
    method: "GET",
    path: "/nodes/{node}",
    parameters: onNode,
    permission: "all",
    handle: () => ["lxc", "network", "qemu", "status", "storage", "tasks", "version"].map((name) => ({ name })),
  },
  { method: "GET", path: "/nodes/{node}/version", parameters: onNode, permission: "all", handle: () => pveVersion },
  {
    method: "GET",
    path: "/nodes/{node}/status",
    parameters: onNode,
    permission: { path: "/nodes/{node}", privileges: ["Sys.Audit"] },
    handle: nodeStatus,
  },
  {
    method: "GET",
    path: "/nodes/{node}/network",
    parameters: { ...onNode, type: optional("string", { enum: interfaceTypes }) },
    permission: "all",
    handle: ({ node, params }) =>
      /bridge/.test(params["type"] ?? "bridge") ? node.bridges.map((name) => bridgeEntry(name)) : [],
  },
];

/** A node in a list; its load only for callers who may see it. */
export function nodeEntry({ node, user }: Call): Record<string, unknown> {
  const { bsize, blocks, bfree } = fs.statfsSync("/");
  const mayAudit = node.access.permissions().has(user, `/nodes/${node.name}`, ["Sys.Audit"]);
  return {
    ...{ id: `node/${node.name}`, node: node.name, type: "node", status: "online", level: "" },
    ...(mayAudit && {
      ...{ cpu: cpuShare(), maxcpu: os.cpus().length, uptime: Math.trunc(os.uptime()) },
      ...{ mem: os.totalmem() - os.freemem(), maxmem: os.totalmem() },
      ...{ disk: (blocks - bfree) * bsize, maxdisk: blocks * bsize },
    }),
  };
}

function nodeStatus(): unknown {
  const { bsize, blocks, bfree, bavail } = fs.statfsSync("/");
  const [cpu] = os.cpus();
  const cpus = os.cpus().length;
  return {
    uptime: Math.trunc(os.uptime()),
    loadavg: os.loadavg().map((load) => load.toFixed(2)),
    kversion: `${os.type()} ${os.release()} ${os.version()}`,
    "current-kernel": { sysname: os.type(), release: os.release(), version: os.version(), machine: os.machine() },
    "boot-info": { mode: "legacy-bios" },
    cpuinfo: { cpus, cores: cpus, sockets: 1, model: cpu?.model ?? "", mhz: String(cpu?.speed ?? 0) },
    cpu: cpuShare(),
    wait: 0,
    memory: {
      total: os.totalmem(),
      free: os.freemem(),
      available: os.freemem(),
      used: os.totalmem() - os.freemem(),
    },
    swap: { total: 0, free: 0, used: 0 },
    pveversion: `pve-manager/${pveVersion.version}/${pveVersion.repoid}`,
    rootfs: { total: blocks * bsize, free: bfree * bsize, avail: bavail * bsize, used: (blocks - bfree) * bsize },
  };
}

function bridgeEntry(name: string): Record<string, unknown> {
  const addresses = os.networkInterfaces()[name] ?? [];
  const cidr = addresses.find(({ family }) => family === "IPv4")?.cidr;
  const [address, netmask] = cidr?.split("/") ?? [];
  return {
    ...{ iface: name, type: "bridge", active: 1, autostart: 1, priority: 3, families: ["inet"] },
    ...{ method: cidr ? "static" : "manual", method6: "manual", bridge_ports: "", bridge_stp: "off", bridge_fd: "0" },
    ...(cidr && { cidr, address, netmask }),
  };
}

/** Load of the last minute, as a share of all processors. */
function cpuShare(): number {
  return Math.min(1, (os.loadavg()[0] ?? 0) / os.cpus().length);
}
