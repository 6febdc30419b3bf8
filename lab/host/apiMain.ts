import * as fs from "node:fs";
import { templateName } from "../containers/baseImage";
import { LxcDriver } from "../containers/lxcDriver";
import { detectTraits } from "../containers/machineTraits";
import { labCgroup } from "../lab";
import { Faults } from "../pve/faults/faults";
import { exchangeLog } from "../pve/http/exchangeLog";
import { startPveServer } from "../pve/server";
import { StorageStore, type Storages } from "../pve/storage/storageStore";
import { QemuDriver } from "../vms/qemuDriver";
import { apiSocket } from "./apiSocket";
import { faultDir } from "./faultDir";

/* The lab's Proxmox VE API as a process of the Proxmox host, over real containers. */

const gib = 1024 ** 3;

/**
 * The cgroup version that the host reports: 2, whatever the machine runs, because guests get what they need to run on
 * version 1 (machineTraits). A file sets another answer.
 */
function cgroupMode(): number {
  const file = "/var/lib/pve-api/cgroup-mode";
  return fs.existsSync(file) ? Number(fs.readFileSync(file, "utf8")) : 2;
}

const hasVms = process.env["LAB_VM_IMAGE"] !== undefined;

/** The storages of the lab's guests. A file adds storages that only a real host has, in the form of `lab/pve`. */
function storages(): Storages {
  const file = "/var/lib/pve-api/further-storages.json";
  return {
    local: { type: "dir", content: ["vztmpl", "iso", "snippets", ...(hasVms ? ["import"] : [])], path: "/var/lib/vz" },
    "local-lvm": { type: "lvmthin", content: ["rootdir", "images"], totalBytes: 1024 * gib },
    ...(fs.existsSync(file) && (JSON.parse(fs.readFileSync(file, "utf8")) as Storages)),
  };
}

async function main(): Promise<void> {
  const cgroup = labCgroup(process.env["LAB_NAME"]!);
  const faults = new Faults(faultDir, { nodeDir: "/etc/pve/nodes/pve", log: (line) => console.log(line) });
  const [logDir, traits] = ["/var/log/lab", detectTraits()];
  const containers = new LxcDriver({ lxcPath: "/var/lib/lxc", logDir, cgroup, traits });
  const files = new StorageStore(storages, []);
  const vms = new QemuDriver({
    ...{ imagesDir: "/var/lib/vms", logDir, cgroup, cgroupV1: traits.cgroupV1 },
    storageFile: (volid) => files.filePath(volid),
  });
  const { url } = await startPveServer({
    etcPve: "/etc/pve",
    stateDir: "/var/lib/pve-api",
    lockDir: "/run/lock",
    node: "pve",
    listen: { host: process.env["LAB_ADDRESS"]!, port: 8006 },
    tls: {
      cert: fs.readFileSync("/etc/pve/nodes/pve/pve-ssl.pem"),
      key: fs.readFileSync("/etc/pve/nodes/pve/pve-ssl.key"),
    },
    socket: apiSocket,
    driver: faults.driver(containers),
    ...(hasVms && { vms: faults.driver(vms) }),
    ...(process.env["LAB_EXCHANGES"] && { onExchange: exchangeLog("/var/log/lab/exchanges.jsonl") }),
    onRequest: faults.onRequest,
    onTask: faults.onTask,
    onStorage: faults.storage,
    cgroupMode,
    storages,
  });
  console.log(`Proxmox VE API at ${url}, template ${templateName}`);
}

main().catch((error: Error) => {
  console.error(error);
  process.exit(1);
});
