import * as os from "node:os";
import type { VmNode } from "../node";
import { parsePropertyString } from "../schema/propertyString";
import { bootDrive, driveBytes } from "./drives";
import { agentFormat, memoryFormat } from "./options";

const mebibyte = 1024 ** 2;

/** `PVE::QemuServer::vmstatus` of one machine. Traffic, disk throughput and pressure are not measured: they are zero. */
export async function vmStatus(node: VmNode, vmid: number): Promise<Record<string, unknown>> {
  const { file } = node.guests.load(vmid);
  const { options } = file;
  const { running, pid, paused, uptimeSeconds, cpu, memBytes } = await node.driver.status(vmid);
  const number = (key: string) => Number(options.get(key) ?? 0);
  const boot = bootDrive(file);
  const cpus = number("vcpus") || Math.min((number("sockets") || 1) * (number("cores") || 1), os.cpus().length);
  return {
    vmid,
    status: running ? "running" : "stopped",
    ...(running && pid !== undefined && { pid }),
    name: options.get("name") ?? `VM ${vmid}`,
    cpus,
    cpu: running ? cpu : 0,
    mem: running ? Math.trunc(memBytes) : 0,
    maxmem: memoryMebibytes(options.get("memory")) * mebibyte,
    memhost: running ? Math.trunc(memBytes) : 0,
    ...(number("balloon") > 0 && { balloon_min: number("balloon") * mebibyte, shares: number("shares") || 1000 }),
    disk: 0,
    maxdisk: boot === undefined ? 0 : driveBytes(boot),
    uptime: running ? Math.trunc(uptimeSeconds) : 0,
    ...{ netin: 0, netout: 0, diskread: 0, diskwrite: 0 },
    ...(running && pressure),
    ...([...options.keys()].some((key) => /^serial\d+$/.test(key)) && { serial: 1 }),
    ...Object.fromEntries(["lock", "tags"].filter((key) => options.has(key)).map((key) => [key, options.get(key)])),
    ...(options.get("template") === "1" && { template: 1 }),
    qmpstatus: running ? (paused ? "paused" : "running") : "stopped",
    ...(running && { "running-machine": "pc-i440fx-10.1+pve0", "running-qemu": "10.1.2" }),
  };
}

const pressure = Object.fromEntries(
  ["cpu", "io", "memory"].flatMap((part) => ["some", "full"].map((share) => [`pressure${part}${share}`, 0])),
);

/** What `GET …/status/current` adds. */
export async function currentVmStatus(node: VmNode, vmid: number): Promise<Record<string, unknown>> {
  const { options } = node.guests.load(vmid).file;
  return {
    ...(await vmStatus(node, vmid)),
    ha: { managed: 0 },
    ...(isAgentEnabled(options.get("agent")) && { agent: 1 }),
  };
}

export function isAgentEnabled(agent: string | undefined): boolean {
  return agent !== undefined && parsePropertyString(agent, agentFormat)["enabled"] === "1";
}

function memoryMebibytes(memory: string | undefined): number {
  return Number(parsePropertyString(memory ?? "512", memoryFormat)["current"]);
}
