import { createHash, createPrivateKey } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { type KeyPair, newKeyPair } from "../sshKeys";

/** K3s on a simulated machine: what was installed last, and the hash of the CA that the cluster's first server has made. */
export interface SimulatedK3s {
  readonly role: string;
  readonly name: string;
  readonly version: string;
  readonly token: string;
  readonly agentToken?: string;
  readonly caHash: string;
  /** Content of `config.yaml`. */
  readonly config: string;
  /** Content of `registries.yaml`, passwords included. */
  readonly registries?: string;
  /** Number of repairs so far. */
  readonly repairs?: string;
  /** Name of the etcd member, for a server with etcd. */
  readonly member?: string;
}

const HOST_KEY = "etc/ssh/ssh_host_ed25519_key";
const K3S = "var/lib/rancher/k3s/double.json";
const ENDED = "run/k3s-ended";
const LOADED = "run/nft-loaded";

/** The root of a guest. The files that the host's scripts read are as on a real node. */
export class SimulatedDisk {
  constructor(readonly root: string) {}

  /** SSH host key. With a new one, the guest counts as another machine. */
  get hostKey(): KeyPair {
    return { private: this.read(HOST_KEY)!, public: this.read(`${HOST_KEY}.pub`)!.trim() };
  }

  set hostKey(pair: KeyPair) {
    this.write(HOST_KEY, pair.private);
    this.write(`${HOST_KEY}.pub`, `${pair.public}\n`);
  }

  get authorizedKeys(): string[] {
    return (this.read("root/.ssh/authorized_keys") ?? "").split("\n").filter((line) => /^[a-z]/.test(line));
  }

  /** The rules that nft has loaded since the last boot. */
  get firewall(): string | undefined {
    return this.read(LOADED);
  }

  set firewall(rules: string | undefined) {
    if (rules === undefined) this.remove(LOADED);
    else this.write(LOADED, rules);
  }

  /** At boot, the firewall's unit loads the stored rules. */
  loadFirewall(): void {
    this.firewall = this.read("etc/k3smesh/rules.nft");
  }

  /** The server that a new server joins; the host's step `join` has written it here. */
  get join(): { readonly address: string; readonly caHash: string } | undefined {
    const [, address, caHash] = /^https:\/\/([\d.]+):6443 ([0-9a-f]{64})$/m.exec(this.read(JOIN) ?? "") ?? [];
    return address === undefined || caHash === undefined ? undefined : { address, caHash };
  }

  get k3s(): SimulatedK3s | undefined {
    const text = this.read(K3S);
    return text === undefined ? undefined : (JSON.parse(text) as SimulatedK3s);
  }

  /** Installs K3s, or removes every trace of it. */
  set k3s(k3s: SimulatedK3s | undefined) {
    for (const trace of ["etc/rancher", "var/lib/rancher", ...UNITS.map(wants), STARTED]) this.remove(trace);
    if (!k3s) return;
    const isServer = k3s.role === "server";
    this.write(K3S, JSON.stringify(k3s));
    this.write("etc/rancher/k3s/config.yaml", `${k3s.config}\n`);
    this.write(STARTED, "the inputs of the last good start\n");
    this.enable(isServer ? "k3s" : "k3s-agent");
    this.remove(ENDED);
    if (!isServer) return;
    this.write("etc/rancher/k3s/k3s.yaml", kubeconfigOf(k3s));
    this.write("var/lib/rancher/k3s/server/token", `K10${k3s.caHash}::server:${k3s.token}\n`);
    this.write("var/lib/rancher/k3s/server/db/version", k3s.version);
    for (const each of ["client-admin", "serving-kube-apiserver"]) this.setCertificate(each, CERTIFICATE);
    if (k3s.member !== undefined) this.write("var/lib/rancher/k3s/server/db/etcd/name", k3s.member);
  }

  /** A server's certificate, in PEM. */
  setCertificate(name: string, pem: string): void {
    this.write(`var/lib/rancher/k3s/server/tls/${name}.crt`, pem);
  }

  isEnabled(unit: string): boolean {
    return this.isNixos ? this.has(NIXOS_UNIT) : this.has(wants(unit));
  }

  /** Whether doubles/nixosGuest.ts has put NixOS on the disk. */
  get isNixos(): boolean {
    return this.has("etc/NIXOS");
  }

  /** Starts K3s with the files of a NixOS system. */
  startK3s(k3s: SimulatedK3s): void {
    this.write(K3S, JSON.stringify(k3s));
    this.restartK3s();
  }

  enable(unit: string): void {
    this.write(wants(unit), "");
  }

  disable(unit: string): void {
    this.remove(wants(unit));
  }

  /** K3s runs while its machine runs, if its unit is enabled and it has not ended by itself. */
  get hasK3sUp(): boolean {
    return UNITS.some((unit) => this.isEnabled(unit)) && this.has(K3S) && !this.has(ENDED);
  }

  /** Ends K3s until the next start of the machine or of K3s. */
  endK3s(): void {
    this.write(ENDED, "");
  }

  restartK3s(): void {
    this.remove(ENDED);
  }

  has(file: string): boolean {
    return fs.existsSync(path.join(this.root, file));
  }

  read(file: string): string | undefined {
    return this.has(file) ? fs.readFileSync(path.join(this.root, file), "utf8") : undefined;
  }

  write(file: string, text: string): void {
    const target = path.join(this.root, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text);
  }

  private remove(file: string): void {
    fs.rmSync(path.join(this.root, file), { recursive: true, force: true });
  }
}

/** The disk of a new machine. */
export function newDisk(root: string): SimulatedDisk {
  const disk = new SimulatedDisk(root);
  disk.hostKey = newKeyPair();
  return disk;
}

/** Valid for ten years. Nobody has its key. */
const CERTIFICATE = fs.readFileSync(path.join(__dirname, "../../fixtures/certificate.pem"), "utf8");
const UNITS = ["k3s", "k3s-agent"];
const JOIN = "var/lib/proxmox-k3s/join";
const STARTED = "var/lib/proxmox-k3s/started";
/** The K3s unit of a NixOS system; k3s-agent is an alias of it. */
const NIXOS_UNIT = "nix/units/k3s.service";
const wants = (unit: string): string => `etc/systemd/system/multi-user.target.wants/${unit}.service`;

/** A private key as K3s writes it, PEM in base64; the same for each call with the same cluster. */
function adminKeyOf(caHash: string): string {
  const seed = createHash("sha256").update(`admin of ${caHash}`).digest();
  const key = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const pem = createPrivateKey({ key, format: "der", type: "pkcs8" }).export({ type: "pkcs8", format: "pem" });
  return Buffer.from(pem as string).toString("base64");
}

function kubeconfigOf({ caHash }: SimulatedK3s): string {
  return [
    "apiVersion: v1",
    "clusters:",
    `- {cluster: {certificate-authority-data: ${caHash}, server: "https://127.0.0.1:6443"}, name: default}`,
    "contexts:",
    "- {context: {cluster: default, user: default}, name: default}",
    "current-context: default",
    "kind: Config",
    "users:",
    `- {name: default, user: {client-certificate-data: ${Buffer.from(CERTIFICATE).toString("base64")}, client-key-data: ${adminKeyOf(caHash)}}}`,
    "",
  ].join("\n");
}
