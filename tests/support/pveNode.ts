import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { createAccess, type Grant } from "../../lab/pve/access/createAccess";
import { REQUIRED_PRIVILEGES } from "../../plan/privileges";
import { Faults } from "../../lab/pve/faults/faults";
import type { Exchange } from "../../lab/pve/http/exchange";
import { startPveServer, type PveServer, type PveServerOptions } from "../../lab/pve/server";
import { SimulatedDriver, type SimulatedDriverOptions } from "../../lab/pve/simulatedDriver";
import { SimulatedVms, type SimulatedVmsOptions } from "../../lab/pve/simulatedVms";
import { PveClient } from "./httpClient";
import { assertOfficial } from "./pveSchema";
import { selfSigned } from "../../lab/support/selfSigned";

export const template = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";
export const rootPassword = "root-password";
const tokenSecret = "6e9a3f5c-7a3e-4a3e-9c67-2d6f0a1b2c3d";

/** A node with simulated guests, over real HTTPS. Every exchange is checked against the official schema. */
export class SimulatedNode {
  readonly dir = fs.mkdtempSync(path.join(os.tmpdir(), "pve-node-"));
  readonly etcPve = path.join(this.dir, "etc-pve");
  readonly tls = selfSigned({ name: "pve", altNames: "IP:127.0.0.1" });
  /** The certificate that its clients trust. */
  readonly caFile = path.join(this.dir, "cert.pem");
  readonly apiToken: string;
  readonly driver: SimulatedDriver;
  readonly vms: SimulatedVms;
  readonly faults = new Faults(path.join(this.dir, "faults"), {
    nodeDir: path.join(this.etcPve, "nodes", "pve"),
    log: (line) => this.faultLog.push(line),
  });
  readonly faultLog: string[] = [];
  readonly exchanges: Exchange[] = [];
  private server?: PveServer;

  private constructor(
    driverOptions: SimulatedDriverOptions & SimulatedVmsOptions,
    private readonly options: Partial<PveServerOptions>,
  ) {
    this.driver = new SimulatedDriver(driverOptions);
    this.vms = new SimulatedVms(driverOptions);
    fs.mkdirSync(this.etcPve, { recursive: true });
    fs.writeFileSync(this.caFile, this.tls.cert);
    this.apiToken = this.newToken("pulumi", Object.keys(REQUIRED_PRIVILEGES));
    const file = path.join(this.dir, "template.tar.zst");
    fs.writeFileSync(file, "a template");
    this.templateFile = file;
  }

  readonly templateFile: string;

  static async start(
    options: Partial<PveServerOptions> = {},
    driverOptions: SimulatedDriverOptions & SimulatedVmsOptions = {},
  ): Promise<SimulatedNode> {
    const node = new SimulatedNode(driverOptions, options);
    await node.open();
    return node;
  }

  get url(): string {
    return this.server!.url;
  }

  get socket(): string {
    return path.join(this.dir, "pve.sock");
  }

  /** Restarts the API with the same folders and the same guests. */
  async restart(): Promise<void> {
    await this.server?.close();
    await this.open();
  }

  /** Resolves when no task is running. */
  async idle(): Promise<void> {
    await this.server?.idle();
  }

  /** Stops the API and removes its files. @throws Error if an exchange did not match the official schema */
  async stop(): Promise<void> {
    await this.idle();
    await this.server?.close();
    fs.rmSync(this.dir, { recursive: true, force: true });
    assertOfficial(this.exchanges);
  }

  /** Makes a user with this name and an API token with exactly these privileges at `/`. */
  newToken(name: string, privileges: readonly string[]): string {
    return this.grant(name, [{ path: "/", role: { name, privileges } }]);
  }

  /** Makes a user with this name and an API token with these grants. */
  grant(name: string, grants: readonly Grant[]): string {
    return createAccess(this.etcPve, { rootPassword, tokenSecret, user: `${name}@pve`, grants }).apiToken;
  }

  /** A client with an API token. The default token has, on all guests, the privileges that the program needs on its own. */
  token(apiToken = this.apiToken): PveClient {
    return new PveClient(this.url, this.tls.cert, { authorization: `PVEAPIToken=${apiToken}` });
  }

  anonymous(headers: Record<string, string> = {}): PveClient {
    return new PveClient(this.url, this.tls.cert, headers);
  }

  /** A client logged in as root@pam by password. */
  async root(): Promise<PveClient> {
    const { body } = await this.anonymous().post("/access/ticket", { username: "root@pam", password: rootPassword });
    const { ticket, CSRFPreventionToken } = body.data;
    return this.anonymous({
      cookie: `PVEAuthCookie=${encodeURIComponent(ticket)}`,
      csrfpreventiontoken: CSRFPreventionToken,
    });
  }

  /** Makes a file in the storage `local`. Returns its volume ID. */
  file(volume: string, content: string | Buffer): string {
    const file = path.join(this.dir, "vz", volume);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
    return `local:${volume}`;
  }

  /** Text of a virtual machine's configuration file. */
  vmConf(vmid: number): string {
    return fs.readFileSync(path.join(this.etcPve, "qemu-server", `${vmid}.conf`), "utf8");
  }

  /** Text of a container's configuration file. */
  conf(vmid: number): string {
    return fs.readFileSync(this.confFile(vmid), "utf8");
  }

  confFile(vmid: number): string {
    return path.join(this.etcPve, "lxc", `${vmid}.conf`);
  }

  private async open(): Promise<void> {
    this.server = await startPveServer({
      etcPve: this.etcPve,
      stateDir: path.join(this.dir, "state"),
      node: "pve",
      listen: { host: "127.0.0.1", port: 0 },
      tls: this.tls,
      socket: this.socket,
      driver: this.faults.driver(this.driver),
      vms: this.faults.driver(this.vms),
      onRequest: this.faults.onRequest,
      onTask: this.faults.onTask,
      onStorage: this.faults.storage,
      storages: {
        local: {
          type: "dir",
          content: ["vztmpl", "iso", "snippets"],
          path: path.join(this.dir, "vz"),
          templates: { "ubuntu-22.04-standard_22.04-1_amd64.tar.zst": this.templateFile },
        },
        "local-lvm": { type: "lvmthin", content: ["rootdir", "images"] },
      },
      unauthorizedDelayMs: 0,
      ...this.options,
      onExchange: (exchange) => this.exchanges.push(exchange),
    });
  }
}

/** The fields that the program's Proxmox client sends for a node of the cluster. */
export function nodeFields(vmid: number, extra: Record<string, string | number> = {}): Record<string, string | number> {
  return {
    vmid,
    hostname: `k3s-${vmid}`,
    ostemplate: template,
    ostype: "ubuntu",
    arch: "amd64",
    cores: 2,
    memory: 4096,
    swap: 0,
    storage: "local-lvm",
    rootfs: "volume=local-lvm:32",
    net0: "bridge=vmbr0,firewall=0,gw=198.18.0.1,host-managed=0,ip=198.18.0.20/24,name=eth0",
    nameserver: "198.18.0.1",
    unprivileged: 0,
    onboot: 1,
    start: 0,
    ...extra,
  };
}

/** The fields that the program's Proxmox client sends for a virtual machine made from an image. */
export function vmFields(vmid: number, extra: Record<string, string | number> = {}): Record<string, string | number> {
  return {
    vmid,
    name: `k3s-${vmid}`,
    ostype: "l26",
    cores: 2,
    cpu: "cputype=x86-64-v2-AES",
    memory: 4096,
    scsihw: "virtio-scsi-single",
    scsi0: "file=local-lvm:0,import-from=local:import/debian-12.qcow2,discard=on,iothread=1",
    ide2: "local-lvm:cloudinit,media=cdrom",
    net0: "model=virtio,bridge=vmbr0,firewall=0",
    agent: "enabled=1,fstrim_cloned_disks=0,type=virtio",
    ciuser: "root",
    ipconfig0: "ip=198.18.0.20/24,gw=198.18.0.1",
    nameserver: "198.18.0.1",
    serial0: "socket",
    onboot: 1,
    ...extra,
  };
}

/** The header of a qcow2 file, which contains the size of the disk. */
export function qcow2(bytes: number): Buffer {
  const header = Buffer.alloc(512);
  header.write("QFI\xfb", 0, "latin1");
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(BigInt(bytes), 24);
  return header;
}
