import * as os from "node:os";
import type { GuestInterface } from "../driver";
import type { ContainerNode } from "../node";
import { parseVolume, volumeBytes } from "./volumes";

const mebibyte = 1024 ** 2;

/** `PVE::LXC::vmstatus` of one container. Traffic and disk throughput are not measured: they are zero. */
export async function containerStatus(node: ContainerNode, vmid: number): Promise<Record<string, unknown>> {
  const { options } = node.guests.load(vmid).file;
  const status = await node.driver.status(vmid);
  const rootfs = options.get("rootfs");
  const number = (key: string) => Number(options.get(key) ?? 0);
  const optionalKeys = ["lock", "tags"].filter((key) => options.has(key));
  return {
    vmid,
    type: "lxc",
    status: status.running ? "running" : "stopped",
    ...(status.running && status.pid !== undefined && { pid: status.pid }),
    name: options.get("hostname") ?? `CT${vmid}`,
    cpus: number("cores") || number("cpulimit") || os.cpus().length,
    cpu: status.running ? status.cpu : 0,
    mem: status.running ? Math.trunc(status.memBytes) : 0,
    maxmem: (number("memory") || 512) * mebibyte,
    swap: 0,
    maxswap: number("swap") * mebibyte,
    disk: status.running ? Math.trunc(status.diskBytes) : 0,
    maxdisk: rootfs === undefined ? 4 * 1024 ** 3 : volumeBytes(parseVolume("rootfs", rootfs)),
    uptime: status.running ? Math.trunc(status.uptimeSeconds) : 0,
    netin: 0,
    netout: 0,
    diskread: 0,
    diskwrite: 0,
    ...Object.fromEntries(optionalKeys.map((key) => [key, options.get(key)])),
    ...(options.get("template") === "1" && { template: 1 }),
  };
}

/** One interface as `GET …/interfaces` shows it, older fields included. */
export function interfaceEntry(entry: GuestInterface): Record<string, unknown> {
  const { name, hwaddr, inet, inet6 } = entry;
  const addresses = [
    ...(inet ? [{ type: "inet", address: inet }] : []),
    ...(inet6 ? [{ type: "inet6", address: inet6 }] : []),
  ];
  return {
    name,
    hwaddr,
    "hardware-address": hwaddr,
    ...(inet && { inet }),
    ...(inet6 && { inet6 }),
    "ip-addresses": addresses.map(({ type, address }) => {
      const [ip = "", prefix = ""] = address.split("/");
      return { "ip-address": ip, "ip-address-type": type, prefix: Number(prefix) };
    }),
  };
}
