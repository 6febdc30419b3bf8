import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { type Finding, parseFindings } from "../../cli/doctor/finding";
import { taskText } from "../../remote/script";

export const MARK = "proxmox-k3s project/stack/homelab 0123456789abcdef";
export const TEMPLATE = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";
const NODES = [
  `100 k3s-master 192.168.2.20 local-lvm 32 ${TEMPLATE}`,
  `102 k3s-worker-01 192.168.2.21 local-lvm 50 ${TEMPLATE}`,
];
export const GIB = 1024 ** 3;

export interface Storage {
  readonly storage: string;
  readonly type: string;
  readonly active: number;
  readonly avail: number;
  readonly content: string;
}

/** A Proxmox host for the preflight: files and fixed answers in a scratch folder. All is well until a test changes something. */
export class PreflightHost {
  readonly root = fs.mkdtempSync(path.join(os.tmpdir(), "preflight-"));
  versions: Record<string, string> = { "pve-manager": "9.2.3", "lxc-pve": "6.0.5-4" };
  sysctls: Record<string, string> = { "net.ipv4.ip_forward": "1", "fs.inotify.max_user_instances": "65536" };
  nodes: object[] = [{ node: "pve", type: "node", "cgroup-mode": 2 }];
  storages: Storage[] = [storage({ storage: "local", type: "dir", content: "vztmpl,iso" }), storage({})];
  templates: string[] = [TEMPLATE];
  images: string[] = [];
  pools: string[] = ["homelab"];
  /** Guests as Proxmox VE lists them. */
  guests: { vmid: number; pool?: string }[] = [];
  /** Addresses that answer a ping, and those that answer ARP alone. */
  answering: string[] = [];
  silent: string[] = [];
  /** Kernel modules that can be loaded. */
  loadable: string[] = [];
  cgroupMount = "cgroup2fs";
  /** The script's arguments about the cluster. */
  args: Record<string, string> = {
    PVE_NODE: "pve",
    FURTHER: "",
    FIRMWARE: "",
    MODULES: "vxlan",
    OVERLAYFS: "local-lvm",
  };
  /** API paths that fail. */
  readonly deaf: string[] = [];
  /** Whether nft can read rules from the kernel. */
  nft = false;

  constructor() {
    for (const dir of ["etc/nodes/pve/lxc", "etc/nodes/pve/qemu-server", "net/vmbr0/bridge", "bin", "work"])
      fs.mkdirSync(path.join(this.root, dir), { recursive: true });
    for (const file of ["proc/sys/net/bridge/bridge-nf-call-iptables", "proc/sys/net/netfilter/nf_conntrack_max"])
      this.write(file, "1\n");
    this.write("proc/filesystems", "nodev\toverlay\n");
    this.write("sys/module/vxlan/version", "0.1\n");
  }

  write(file: string, text: string, mode = 0o644): void {
    fs.mkdirSync(path.dirname(path.join(this.root, file)), { recursive: true });
    fs.writeFileSync(path.join(this.root, file), text, { mode });
  }

  remove(file: string): void {
    fs.rmSync(path.join(this.root, file), { recursive: true });
  }

  conf(vmid: number, text: string, kind = "lxc"): void {
    this.write(`etc/nodes/pve/${kind}/${vmid}.conf`, text);
  }

  run(
    action: "look" | "create",
    mark = MARK,
  ): { code: number | null; output: string; outcome: string; asked: boolean } {
    this.writeCommands();
    for (const file of ["work", "asked"]) fs.rmSync(path.join(this.root, file), { recursive: true, force: true });
    fs.mkdirSync(path.join(this.root, "work"));
    const text = taskText("preflight")
      .replaceAll("/etc/pve", `${this.root}/etc`)
      .replaceAll("/var/lib/proxmox-k3s", `${this.root}/state`)
      .replaceAll("/sys/class/net", `${this.root}/net`)
      .replaceAll("/sys/module", `${this.root}/sys/module`)
      .replaceAll(/\/proc\/(sys|filesystems)/g, `${this.root}/proc/$1`);
    const { status, stdout, stderr } = spawnSync("sh", ["-c", text], {
      encoding: "utf8",
      env: {
        ...{ PATH: `${this.root}/bin:${process.env["PATH"]}`, WORK: `${this.root}/work`, RUNNER: String(process.pid) },
        ...{ STEP: "homelab-preflight", ACTION: action, MARK: mark },
        ...{ BRIDGE: "vmbr0", POOL: "homelab", NODES: NODES.join("\n"), SNIPPETS: "", ...this.args },
      },
    });
    const outcome = path.join(this.root, "work/outcome");
    return {
      ...{ code: status, output: stdout + stderr, asked: fs.existsSync(path.join(this.root, "asked")) },
      outcome: fs.existsSync(outcome) ? fs.readFileSync(outcome, "utf8").trimEnd() : "",
    };
  }

  /** The findings that are not ok. */
  troubles(mark?: string): string[] {
    return this.findings(mark).map(({ level, check, seen }) => `${level} ${check}: ${seen}`);
  }

  /** The remedies of all findings. */
  remedies(): string[] {
    return this.findings().map(({ remedy = "" }) => remedy);
  }

  findings(mark?: string): Finding[] {
    const { outcome, output } = this.run("look", mark);
    expect(output).toBe("");
    return parseFindings(outcome).filter(({ level }) => level !== "ok");
  }

  private writeCommands(): void {
    const answers = (values: Record<string, string>, word: string): string =>
      Object.entries(values)
        .map(([name, value]) => `${name}) echo '${value}' ;;`)
        .join(" ")
        .replace(/^/, `case ${word} in `)
        .concat(" *) exit 1 ;; esac");
    const anyOf = (values: readonly string[]): string => (values.length > 0 ? values.join("|") : "none");
    const commands: Record<string, string> = {
      hostname: "echo pve.example.org",
      "dpkg-query": answers(this.versions, '"$4"'),
      sysctl: answers(this.sysctls, '"$2"'),
      stat: `echo ${this.cgroupMount}`,
      iptables: ":",
      nft: this.nft ? ":" : "exit 1",
      modprobe: `case $3 in ${anyOf(this.loadable)}) ;; *) exit 1 ;; esac`,
      ping: `for last; do :; done; case $last in ${anyOf(this.answering)}) ;; *) exit 1 ;; esac`,
      ip: [
        'case "$*" in *"neigh show"*) for last; do :; done',
        `case $last in ${anyOf(this.silent)}) echo "$last dev vmbr0 lladdr bc:24:11:00:00:01 REACHABLE" ;; esac ;;`,
        '*"link show"*) echo up ;; esac',
      ].join("\n"),
      pvesh: [
        `: >${this.root}/asked`,
        "case $2 in",
        `${anyOf(this.deaf)}) echo "connection refused" >&2; exit 111 ;;`,
        `/cluster/resources) case $4 in node) echo '${JSON.stringify(this.nodes)}' ;; vm) echo '${JSON.stringify(this.guests)}' ;; esac ;;`,
        `/pools) echo '${JSON.stringify(this.pools.map((poolid) => ({ poolid })))}' ;;`,
        `/nodes/pve/storage) echo '${JSON.stringify(this.storages)}' ;;`,
        `/nodes/pve/storage/local/content) case $4 in`,
        `vztmpl) echo '${JSON.stringify(this.templates.map((volid) => ({ volid })))}' ;;`,
        `import) echo '${JSON.stringify(this.images.map((volid) => ({ volid })))}' ;; esac ;;`,
        `*) echo "no such path $2" >&2; exit 2 ;; esac`,
      ].join("\n"),
    };
    for (const [name, text] of Object.entries(commands)) this.write(`bin/${name}`, `#!/bin/sh\n${text}\n`, 0o755);
  }
}

/** A storage without problems. */
export function storage(of: Partial<Storage>): Storage {
  return { storage: "local-lvm", type: "lvmthin", active: 1, avail: 200 * GIB, content: "rootdir,images", ...of };
}

const hosts: PreflightHost[] = [];
/** A new host, which is removed after the tests of the file that imports this. */
export function host(change: (host: PreflightHost) => void = () => {}): PreflightHost {
  const made = new PreflightHost();
  hosts.push(made);
  change(made);
  return made;
}
afterAll(() => hosts.forEach(({ root }) => fs.rmSync(root, { recursive: true })));

/** The configuration of a container; with a mark, a container of our cluster. */
export const conf = (name: string, address: string, mark = ""): string =>
  `${mark && `#creation 5f3a9c1e0b7d4421 of ${mark}\n`}hostname: ${name}\nnet0: name=eth0,bridge=vmbr0,ip=${address}/24,gw=192.168.2.1\n`;
