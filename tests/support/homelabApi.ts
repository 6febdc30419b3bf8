import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import type { ContainerDriver, VmDriver } from "../../lab/pve/driver";
import type { Faults } from "../../lab/pve/faults/faults";
import type { Exchange } from "../../lab/pve/http/exchange";
import { type PveServer, startPveServer } from "../../lab/pve/server";

export interface HomelabApiOptions {
  /** The world's folder, with `pve-state`; certificate and template come into it. */
  readonly folder: string;
  /** The folder that stands for `/etc/pve`. */
  readonly etcPve: string;
  /** Where the API serves root. */
  readonly socket: string;
  /** Folder of the files that are held while a guest is worked on. */
  readonly lockDir: string;
  /** The address that clients know it by. */
  readonly address: string;
  readonly driver: ContainerDriver;
  readonly vms: VmDriver;
  readonly faults: Faults;
  /** Told of each request when it arrives. */
  readonly onRequest: (request: { readonly method: string; readonly path: string }) => void;
  readonly onExchange: (exchange: Exchange) => void;
}

/** The lab's Proxmox API on a port of loopback, with the storages and the template of Pulumi.homelab.yaml. */
export function startHomelabApi(options: HomelabApiOptions): Promise<PveServer> {
  const { folder, address, faults, onRequest, etcPve, socket, lockDir, driver, vms, onExchange } = options;
  const template = path.join(folder, "template.tar.zst");
  fs.writeFileSync(template, "a template");
  return startPveServer({
    ...{ etcPve, socket, lockDir, driver, vms, onExchange },
    stateDir: path.join(folder, "pve-state"),
    node: "pve",
    listen: { host: "127.0.0.1", port: 0 },
    tls: certificate(folder, address),
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

/** A certificate for an address that is its own CA, beside the other files of the world. */
function certificate(folder: string, address: string): { cert: string; key: string } {
  const [cert, key] = [path.join(folder, "cert.pem"), path.join(folder, "key.pem")];
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const subject = ["-subj", "/CN=pve", "-addext", `subjectAltName=IP:${address}`, "-keyout", key, "-out", cert];
  execFileSync("openssl", [...request, ...subject], { stdio: "pipe" });
  return { cert: fs.readFileSync(cert, "utf8"), key: fs.readFileSync(key, "utf8") };
}
