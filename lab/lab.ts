import * as fs from "node:fs";
import * as path from "node:path";

/** The record of a lab in its state folder: enough to use it, and to end it. */
export interface Lab {
  readonly name: string;
  /** Pulumi stack: `lab` for the default lab, `lab-<name>` for others. */
  readonly stack: string;
  /** N of the lab's network 198.18.N.0/24; `up` picks a free one. */
  readonly subnet: number;
  /** First three numbers of the network, `198.18.N`. */
  readonly prefix: string;
  /** Host key that the Proxmox host shows, `ssh-ed25519 …`. */
  readonly hostPublicKey: string;
  /** Public half of the key with which nodes are reached. */
  readonly nodePublicKey: string;
  readonly k3s: LabK3s;
  /** `bin` of the tool chain. */
  readonly toolchainBin: string;
  /** Node.js for the program and the lab's own services. */
  readonly node: string;
  /** Whether it runs virtual machines. */
  readonly vms?: boolean;
  /** Whether it has what the add-ons' program needs. */
  readonly addons?: boolean;
  /** The lab's first process; undefined until it runs. */
  readonly init?: ProcessId;
}

/** A lab whose host has been started. */
export interface RunningLab extends Lab {
  readonly init: ProcessId;
}

/** The K3s that the lab serves. */
export interface LabK3s {
  readonly version: string;
  /** The vendor's release, a binary given by path, or the stand-in over upstream Kubernetes. */
  readonly kind: "release" | "path" | "stand-in";
  /** Artifact folder, laid out as `<dir>/<version>/k3s`. */
  readonly dir: string;
  readonly sha256: string;
  readonly imagesSha256: string;
}

/** Identifies a process, also if another one gets its number later. */
export interface ProcessId {
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`: clock ticks since boot. */
  readonly startTime: string;
}

export const defaultLabName = "lab";

/** The project's folder. */
export const repoDir = path.join(__dirname, "..");

/** The folder of the add-ons' program. */
export const addonsDir = path.join(repoDir, "addons");

/** Where the state of all labs is: `$PROXMOX_K3S_LAB_ROOT`, else `/var/lib/proxmox-k3s-lab`. */
export function labRoot(): string {
  return process.env["PROXMOX_K3S_LAB_ROOT"] || "/var/lib/proxmox-k3s-lab";
}

/** The files and folders of one lab. */
export function labPaths(name: string) {
  const state = path.join(labRoot(), name);
  const client = path.join(state, "client");
  const host = path.join(state, "host");
  return {
    state,
    record: path.join(state, "lab.json"),
    /** Logs of the API, sshd and the containers; `/var/log/lab` on the Proxmox host. */
    logs: path.join(state, "logs"),
    /** The faults that are set. */
    faults: path.join(state, "faults"),
    /** `/etc/pve` of the Proxmox host. */
    etcPve: path.join(state, "etc-pve"),
    /** `/var/lib/lxc` of the Proxmox host: a guest's root file system is `<vmid>/rootfs`. */
    lxc: path.join(state, "lxc"),
    /** The data of the registry of a lab with add-ons. */
    registry: path.join(state, "registry"),
    /** The authority that has signed the certificates of the Proxmox host's services. */
    ca: path.join(state, "etc-pve/pve-root-ca.pem"),
    /** Layers of the Proxmox host's root file system, and where it is mounted inside the lab. */
    hostUpper: path.join(host, "upper"),
    hostWork: path.join(host, "work"),
    hostRoot: path.join(host, "root"),
    /** Files for the person; the Proxmox host does not see them. */
    client,
    hostKey: path.join(client, "host-key"),
    nodeKey: path.join(client, "node-key"),
    apiToken: path.join(client, "api-token"),
    knownHosts: path.join(client, "known-hosts"),
    caBundle: path.join(client, "ca-bundle.pem"),
    bin: path.join(client, "bin"),
    pulumiHome: path.join(client, "pulumi-home"),
    pulumiState: path.join(client, "pulumi-state"),
    passphrase: path.join(client, "passphrase"),
    kubeconfig: path.join(client, "kubeconfig"),
    k3sData: path.join(client, "k3s-data"),
  };
}

/** Name of the server of K3s artifacts, which the Proxmox host's name server knows. */
export const artifactHost = "artifacts.lab";

/** Port of the registry, on the Proxmox host. */
export const registryPort = 5000;

/** Addresses and links of a lab's network. */
export function labNetwork(subnet: number) {
  const prefix = `198.18.${subnet}`;
  return {
    prefix,
    /** The Proxmox host: API, SSH, artifacts, name server; the guests' gateway. */
    host: `${prefix}.1`,
    /** The machine's own address in the lab's network. */
    machine: `${prefix}.254`,
    endpoint: `https://${prefix}.1:8006/`,
    /** Host and port of the registry of a lab with add-ons. */
    registry: `${prefix}.1:${registryPort}`,
    /** Ends of the veth pair between the machine and the lab. The outer end's name reserves the subnet. */
    outerLink: `pk3s${subnet}`,
    innerLink: `pk3s${subnet}i`,
  };
}

/** Folder of a lab's containers in each cgroup hierarchy. */
export function labCgroup(name: string): string {
  return `pk3s-${name}`;
}

export function stackOf(name: string): string {
  return name === defaultLabName ? "lab" : `lab-${name}`;
}

/** @throws Error if the name cannot be part of a path, a stack's name and a cgroup. */
export function checkLabName(name: string): string {
  if (!/^[a-z][a-z0-9-]{0,19}$/.test(name)) {
    throw new Error(`'${name}' is no name for a lab: a letter, then up to 19 lower-case letters, digits or dashes`);
  }
  return name;
}

/** The record of a lab; undefined if there is none. */
export function findLab(name: string): Lab | undefined {
  const { record } = labPaths(checkLabName(name));
  return fs.existsSync(record) ? (JSON.parse(fs.readFileSync(record, "utf8")) as Lab) : undefined;
}

/** The record of a lab whose processes run. @throws Error that names the command which raises it. */
export function runningLab(name: string): RunningLab {
  const lab = findLab(name);
  if (!lab?.init || !isAlive(lab.init)) {
    throw new Error(
      `The lab '${name}' is not up: npm run lab -- up${name === defaultLabName ? "" : ` --name ${name}`}`,
    );
  }
  return { ...lab, init: lab.init };
}

export function writeLab(lab: Lab): void {
  const { record } = labPaths(lab.name);
  fs.writeFileSync(`${record}.new`, `${JSON.stringify(lab, undefined, 2)}\n`, { mode: 0o600 });
  fs.renameSync(`${record}.new`, record);
}

/** The identity of a process that runs now; undefined for one that does not. */
export function identify(pid: number): ProcessId | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in parentheses and may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : { pid, startTime: fields[19]! };
  } catch {
    return undefined;
  }
}

export function isAlive(process: ProcessId): boolean {
  return identify(process.pid)?.startTime === process.startTime;
}
