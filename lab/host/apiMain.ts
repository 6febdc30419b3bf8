import * as fs from "node:fs";
import { templateName } from "../containers/baseImage";
import { LxcDriver } from "../containers/lxcDriver";
import { detectTraits } from "../containers/machineTraits";
import { labCgroup } from "../lab";
import { startPveServer } from "../pve/server";
import { apiSocket } from "./apiSocket";

/* The lab's Proxmox VE API as a process of the Proxmox host, over real containers. */

const gib = 1024 ** 3;

async function main(): Promise<void> {
  const cgroup = labCgroup(process.env["LAB_NAME"]!);
  const { url } = await startPveServer({
    etcPve: "/etc/pve",
    stateDir: "/var/lib/pve-api",
    node: "pve",
    listen: { host: process.env["LAB_ADDRESS"]!, port: 8006 },
    tls: {
      cert: fs.readFileSync("/etc/pve/nodes/pve/pve-ssl.pem"),
      key: fs.readFileSync("/etc/pve/nodes/pve/pve-ssl.key"),
    },
    socket: apiSocket,
    driver: new LxcDriver({ lxcPath: "/var/lib/lxc", logDir: "/var/log/lab", cgroup, traits: detectTraits() }),
    storages: {
      local: { type: "dir", content: ["vztmpl", "iso", "snippets"], path: "/var/lib/vz" },
      "local-lvm": { type: "lvmthin", content: ["rootdir", "images"], totalBytes: 1024 * gib },
    },
  });
  console.log(`Proxmox VE API at ${url}, template ${templateName}`);
}

main().catch((error: Error) => {
  console.error(error);
  process.exit(1);
});
