import * as fs from "node:fs";
import { run } from "../host/run";
import type { GuestConfig } from "../pve/guestConfig";
import { isDriveKey } from "../pve/vms/options";
import { parseDrive } from "../pve/vms/drives";
import { driveParts, networkParts, nodeName } from "./devices";
import type { VmFiles } from "./qemuCommand";
import { QmpError, type Qmp } from "./qmp";

/** A running machine with the files of its devices. */
export interface RunningVm {
  readonly vmid: number;
  /** The configuration that QEMU has. */
  readonly before: GuestConfig;
  readonly files: VmFiles;
}

/** Applies changes of the configuration to a running machine: adds, removes and changes devices. */
export async function plugChanges(
  qmp: Qmp,
  { vmid, before, files }: RunningVm,
  now: GuestConfig,
  changed: readonly string[],
): Promise<void> {
  for (const key of changed) {
    if (isDriveKey(key)) await plugDrive(qmp, key, before, now, files);
    else if (/^net\d+$/.test(key)) await plugNetwork(qmp, vmid, key, before, now, files);
    else if (key === "balloon" && Number(now.options.get(key) ?? 0) > 0)
      await qmp.execute("balloon", { value: Number(now.options.get(key)) * 1024 ** 2 });
  }
}

async function plugDrive(qmp: Qmp, key: string, before: GuestConfig, now: GuestConfig, files: VmFiles): Promise<void> {
  const [old, next] = [before, now].map((config) => {
    const text = config.options.get(key);
    return text === undefined ? undefined : parseDrive(key, text);
  });
  if (old && next && old.properties["media"] === "cdrom") return changeMedium(qmp, key, files.drive(next));
  if (old && next && old.file === next.file) return;
  if (old) await unplug(qmp, key, driveParts(old, before, files.drive(old)).controller?.id);
  if (!next) return;
  const { node, controller, device } = driveParts(next, now, files.drive(next));
  if (node) await qmp.execute("blockdev-add", node);
  if (controller) await qmp.execute("device_add", controller);
  await qmp.execute("device_add", device);
}

/** Puts another image into a CD drive, or the same one after it was written again. */
export async function changeMedium(qmp: Qmp, key: string, file: string | undefined): Promise<void> {
  if (file === undefined) await qmp.execute("eject", { id: key, force: true });
  else await qmp.execute("blockdev-change-medium", { id: key, filename: file, format: "raw", force: true });
}

/** If the guest does not release a device, the wait ends with an error and the device stays. */
async function unplug(qmp: Qmp, key: string, controller: string | undefined): Promise<void> {
  for (const id of [key, ...(controller === undefined ? [] : [controller])]) {
    await qmp.execute("device_del", { id });
    await qmp.event("DEVICE_DELETED", ({ device }) => device === id);
  }
  await qmp.execute("blockdev-del", { "node-name": nodeName(key) });
}

async function plugNetwork(
  qmp: Qmp,
  vmid: number,
  key: string,
  before: GuestConfig,
  now: GuestConfig,
  files: VmFiles,
): Promise<void> {
  const [old, next] = [before, now].map((config) =>
    config.options.has(key) ? networkParts(vmid, key, config) : undefined,
  );
  if (next) writePlug(files.plug(key), next.bridge);
  if (old && next && JSON.stringify(old.device) === JSON.stringify(next.device)) {
    await run(files.plug(key), [next.tap]);
    await setLink(qmp, key, next.linkDown);
    return;
  }
  if (old) {
    await qmp.execute("device_del", { id: key });
    await qmp.event("DEVICE_DELETED", ({ device }) => device === key);
    await qmp.execute("netdev_del", { id: key });
  }
  if (!next) return;
  const plug = { ifname: next.tap, script: files.plug(key), downscript: "no" };
  await qmp.execute("netdev_add", { type: "tap", id: key, ...plug });
  await qmp.execute("device_add", next.device);
  if (next.linkDown) await setLink(qmp, key, true);
}

export async function setLink(qmp: Qmp, key: string, isDown: boolean): Promise<void> {
  await qmp.execute("set_link", { name: key, up: !isDown });
}

/** Writes the script with which QEMU connects a tap that it has made. */
export function writePlug(file: string, bridge: string | undefined): void {
  const master = bridge === undefined ? "nomaster" : `master ${bridge}`;
  fs.writeFileSync(file, `#!/bin/sh\nexec ip link set "$1" up ${master}\n`, { mode: 0o700 });
}

/** The block node that has a file open. @throws QmpError if there is none */
export async function nodeOf(qmp: Qmp, file: string): Promise<string> {
  const nodes = (await qmp.execute("query-named-block-nodes", { flat: true })) as {
    "node-name": string;
    drv: string;
    file: string;
  }[];
  const found = nodes.find((node) => node.drv === "qcow2" && node.file === file);
  if (!found) throw new QmpError(`no drive of the machine has the file ${file}`);
  return found["node-name"];
}
