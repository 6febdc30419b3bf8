import * as fs from "node:fs";
import * as path from "node:path";
import type { ContainerDriver, VmDriver } from "../../lab/pve/driver";
import type { Faults } from "../../lab/pve/faults/faults";
import type { Exchange } from "../../lab/pve/http/exchange";
import { type PveServer, startPveServer } from "../../lab/pve/server";
import { selfSigned } from "../../lab/support/selfSigned";

export interface HomelabApiOptions {
  /** The homelab's folder, which contains `pve-state`; the certificate and the template are written here. */
  readonly folder: string;
  /** The folder that is used as `/etc/pve`. */
  readonly etcPve: string;
  /** Socket on which the API serves root. */
  readonly socket: string;
  /** Folder of the lock files, which are held while a guest is changed. */
  readonly lockDir: string;
  /** The address at which clients reach it. */
  readonly address: string;
  readonly driver: ContainerDriver;
  readonly vms: VmDriver;
  readonly faults: Faults;
  /** Called with each request when it arrives. */
  readonly onRequest: (request: { readonly method: string; readonly path: string }) => void;
  readonly onExchange: (exchange: Exchange) => void;
}

/**
 * The lab's Proxmox API on a port of loopback, with the storages and the template of Pulumi.homelab.yaml. Its clients trust
 * `cert.pem` in the folder.
 */
export function startHomelabApi(options: HomelabApiOptions): Promise<PveServer> {
  const { folder, address, faults, onRequest, etcPve, socket, lockDir, driver, vms, onExchange } = options;
  const template = path.join(folder, "template.tar.zst");
  fs.writeFileSync(template, "a template");
  const tls = selfSigned({ name: "pve", altNames: `IP:${address}` });
  fs.writeFileSync(path.join(folder, "cert.pem"), tls.cert);
  return startPveServer({
    ...{ etcPve, socket, lockDir, driver, vms, onExchange },
    stateDir: path.join(folder, "pve-state"),
    node: "pve",
    listen: { host: "127.0.0.1", port: 0 },
    tls,
    onTask: faults.onTask,
    onStorage: faults.storage,
    storages: {
      local: {
        type: "dir",
        content: ["vztmpl", "iso", "snippets", "import"],
        path: path.join(folder, "host/var/lib/vz"),
        templates: { "ubuntu-22.04-standard_22.04-1_amd64.tar.zst": template },
      },
      "local-lvm": { type: "lvmthin", content: ["rootdir", "images"], totalBytes: 1024 ** 4 },
    },
    unauthorizedDelayMs: 0,
    onRequest: async (request) => {
      onRequest(request);
      return faults.onRequest(request);
    },
  });
}
