import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parseDocument } from "yaml";

import { artifactHost, findLab, labNetwork } from "../../lab/lab";
import { type Finished, finish, Lab } from "./lab";

const repo = path.join(__dirname, "../..");

/** A lab with an unprepared host, and a person who has only a home folder and an SSH key. */
export class InitLab {
  readonly lab: Lab;
  /** The cluster's name. Git ignores its stack file, as every lab's. */
  readonly name: string;
  readonly home = fs.mkdtempSync(path.join(os.tmpdir(), "init-test-"));
  /** What `init` writes into the program's folder. */
  readonly stackFile: string;
  readonly caFile: string;
  readonly tsx = path.join(repo, "node_modules/.bin/tsx");

  constructor(suite: string) {
    this.lab = new Lab(suite);
    this.name = `${this.lab.stack}-x`;
    this.stackFile = path.join(repo, `Pulumi.${this.name}.yaml`);
    this.caFile = path.join(repo, "certificates", `${this.name}.pem`);
  }

  get host(): string {
    return labNetwork(findLab(this.lab.name)!.subnet).host;
  }

  async up(): Promise<void> {
    await this.lab.down();
    await this.lab.up();
    // Remove what the lab prepares on the host for all other suites.
    const remove = (what: string): string => `pvesh delete ${what} --output-format json`;
    const user = "/access/users/pulumi@pve";
    const things = [`${user}/token/pulumi`, user, `/pools/${this.lab.stack}`, "/access/roles/PulumiK3s"];
    await this.lab.host([...things, "/access/roles/PulumiK3sHost"].map(remove).join(" && "));
  }

  async down(): Promise<void> {
    await finish("pulumi", ["stack", "rm", this.name, "--yes", "--force", "--non-interactive"], this.env());
    for (const file of [this.stackFile, this.caFile, this.home]) fs.rmSync(file, { recursive: true, force: true });
    await this.lab.down();
  }

  /** The person's shell before `init`: the tools and a folder for the state, and none of the lab's credentials. */
  env(): NodeJS.ProcessEnv {
    const given = ["PULUMI_STACK", "PULUMI_CONFIG_PASSPHRASE_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "KUBECONFIG"];
    const keys = ["PROXMOX_VE_API_TOKEN", "PROXMOX_K3S_HOST_SSH_KEY_FILE", "PROXMOX_K3S_NODE_SSH_KEY_FILE"];
    const own = Object.entries({ ...this.lab.environment, HOME: this.home });
    return Object.fromEntries(own.filter(([name]) => ![...given, ...keys, "NODE_EXTRA_CA_CERTS"].includes(name)));
  }

  /** The person's shell after `init`: with the variables that `init` prints for the shell. */
  envAfter(): NodeJS.ProcessEnv {
    const passphrase = path.join(this.home, ".config/proxmox-k3s-passphrase");
    return { ...this.env(), PULUMI_CONFIG_PASSPHRASE_FILE: passphrase, SSL_CERT_DIR: path.dirname(this.caFile) };
  }

  /** The person's `ssh` command for the host. */
  get ssh(): string {
    return this.lab.ssh().join(" ");
  }

  initArgs(...more: string[]): string[] {
    const target = ["init", `root@${this.host}`, "--name", this.name, "--gateway", this.host, "--ssh", this.ssh];
    return ["cli/main.ts", ...target, ...more];
  }

  init(...more: string[]): Promise<Finished> {
    return finish(this.tsx, this.initArgs(...more), this.env());
  }

  /** Runs a command of the program in the person's shell after `init`. */
  own(...args: string[]): Promise<Finished> {
    return finish(this.tsx, ["cli/main.ts", ...args], this.envAfter());
  }

  /** The lab has no internet: K3s comes from the lab's server, and no image is pulled. @param release what differs from the lab's */
  takeArtifactsFromTheLab(release: { folder?: string; version?: string; sha256?: string } = {}): void {
    const { k3s } = findLab(this.lab.name)!;
    const { folder, version, sha256 } = { folder: "k3s", version: k3s.version, sha256: k3s.sha256, ...release };
    const doc = parseDocument(fs.readFileSync(this.stackFile, "utf8"));
    const cluster = ["config", "proxmox-k3s:cluster"];
    doc.setIn([...cluster, "version"], version);
    doc.setIn([...cluster, "k3s"], {
      artifacts: {
        baseUrl: `http://${artifactHost}:8080/${folder}`,
        ...{ sha256: { amd64: sha256 }, airgapImages: true, imagesSha256: { amd64: k3s.imagesSha256 } },
      },
      disable: ["coredns", "servicelb", "traefik", "local-storage", "metrics-server"],
    });
    fs.writeFileSync(this.stackFile, doc.toString({ lineWidth: 0 }));
  }

  /** kubectl with the context that `kubeconfig --merge` has written. */
  kubectl(...args: string[]): Promise<Finished> {
    const env = { ...this.envAfter(), KUBECONFIG: `${this.home}/.kube/config` };
    return finish("kubectl", ["--context", this.name, ...args], env);
  }

  /** Names of the nodes that are Ready, each with its version. */
  async readyNodes(): Promise<Record<string, string>> {
    const { stdout } = await this.kubectl("get", "nodes", "--no-headers");
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/\s+/));
    return Object.fromEntries(rows.filter(([, status]) => status === "Ready").map((row) => [row[0]!, row[4]!]));
  }

  /** Permissions on the host, and checksums of its files. */
  hostState(): Promise<string> {
    const folders = "/etc/pve/priv /root/.ssh /usr/local/sbin /var/lib/vz /var/log/proxmox-k3s /var/lib/proxmox-k3s";
    return this.lab.host(
      `sort /etc/pve/user.cfg; find ${folders} -type f 2>/dev/null | sort | xargs -r sha256sum; find ${folders} -type d 2>/dev/null | sort`,
    );
  }
}
