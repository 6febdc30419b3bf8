import * as fs from "node:fs";
import * as path from "node:path";
import { Document } from "yaml";
import { artifactHost } from "./lab";
import { vmTemplateId } from "./vms/vmTemplate";

/** What {@link stackConfig} needs to know of a lab. */
export interface StackLab {
  /** Pulumi stack, `lab` or `lab-<name>`. */
  readonly stack: string;
  /** First three numbers of the lab's network, `198.18.1`. */
  readonly prefix: string;
  /** Public key of the Proxmox host, `ssh-ed25519 …`. */
  readonly hostPublicKey: string;
  /** Public key that nodes accept. */
  readonly nodePublicKey: string;
  readonly k3s: { readonly version: string; readonly sha256: string; readonly imagesSha256: string };
  /** Whether it runs virtual machines: then the cluster is a mixed one. */
  readonly vms?: boolean;
  /** Its registry, from which nodes pull all images that they lack; `authority` is host and port. */
  readonly registry?: { readonly authority: string; readonly caFile: string };
}

const repo = path.join(__dirname, "..");

/** Path of the stack's config, as Pulumi expects it. Git ignores the file. */
export function stackFile(stack: string): string {
  return path.join(repo, `Pulumi.${stack}.yaml`);
}

/**
 * The lab's stack: S1 to S3 (Pulumi.homelab.yaml) at the lab's addresses, or with virtual machines one worker of each kind.
 * Only the lab needs the rest: a source of K3s, and no images to pull, because a lab has no registry unless it is for add-ons.
 */
export function stackConfig(lab: StackLab): unknown {
  const at = (last: number): string => `${lab.prefix}.${last}`;
  return {
    config: {
      "proxmox-k3s:cluster": {
        name: lab.stack,
        version: lab.k3s.version,
        network: { cidr: `${at(0)}/24`, gateway: at(1), bridge: "vmbr0", nameservers: [at(1)] },
        proxmox: {
          node: "pve",
          host: at(1),
          hostKey: lab.hostPublicKey,
          storage: "local-lvm",
          template: "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst",
        },
        k3s: {
          artifacts: {
            // A name, so that each node uses its name server.
            baseUrl: `http://${artifactHost}:8080/k3s`,
            sha256: { amd64: lab.k3s.sha256 },
            airgapImages: true,
            imagesSha256: { amd64: lab.k3s.imagesSha256 },
          },
          ...(lab.registry && { registries: registriesOf(lab.registry) }),
          disable: ["coredns", "servicelb", "traefik", "local-storage", "metrics-server"],
          // An emulated processor takes minutes for what a real one does in seconds.
          startTimeout: lab.vms ? "12m" : "3m",
        },
        removal: { drainTimeout: "3m" },
        ssh: { authorizedKeys: [lab.nodePublicKey] },
        pools: {
          master: {
            role: "server",
            kind: "lxc",
            count: 1,
            vmIds: { from: 100 },
            addresses: { from: at(20) },
            cores: 2,
            memory: "4GB",
            disk: "32GB",
            nodes: { 1: { hostname: "k3s-master" } },
          },
          worker: {
            role: "agent",
            kind: "lxc",
            count: lab.vms ? 1 : 2,
            hostname: "k3s-worker-{00}",
            vmIds: { from: 102 },
            addresses: { from: at(21) },
            cores: 4,
            memory: "8GB",
            disk: "50GB",
          },
          ...(lab.vms && { vm: vmPool(at(31)) }),
        },
      },
    },
  };
}

/** The lab's registry replaces all others. */
function registriesOf({ authority, caFile }: NonNullable<StackLab["registry"]>): unknown {
  return {
    mirrors: { "*": { endpoints: [`https://${authority}`] } },
    configs: { [authority]: { tls: { caFile } } },
  };
}

/** One agent in a virtual machine, as small as possible: its memory is the machine's, and its processor is emulated. */
function vmPool(address: string): unknown {
  return {
    ...{ role: "agent", kind: "vm", count: 1, hostname: "k3s-vm-{00}", template: vmTemplateId, clone: "linked" },
    ...{ vmIds: { from: 110 }, addresses: { from: address }, cores: 2, memory: "2GB", disk: "8GB" },
  };
}

/** Writes the config of the lab's stack. A file that exists is kept: it may have the person's changes. */
export function writeStackConfig(lab: StackLab): string {
  const file = stackFile(lab.stack);
  if (!fs.existsSync(file)) {
    const document = new Document(stackConfig(lab));
    document.commentBefore = " The lab's stack: made by `npm run lab -- up`, removed by `down`, ignored by git.";
    fs.writeFileSync(file, document.toString({ lineWidth: 0 }));
  }
  return file;
}

export function removeStackConfig(stack: string): void {
  fs.rmSync(stackFile(stack), { force: true });
}
