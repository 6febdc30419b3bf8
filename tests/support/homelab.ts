import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { connect } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { parse, stringify } from "yaml";
import { type CallApi, callApiAt } from "../../lab/host/pctApi";
import { runQm } from "../../lab/host/qmCommands";
import { createAccess, readmeGrants } from "../../lab/pve/access/createAccess";
import { Faults } from "../../lab/pve/faults/faults";
import type { Exchange } from "../../lab/pve/http/exchange";
import type { PveServer } from "../../lab/pve/server";
import { ensureToolchain, makePulumiHome, toolchainEnv } from "../../lab/toolchain/install";
import { quote } from "../../remote/script";
import { endOf } from "./endOf";
import { startHomelabApi } from "./homelabApi";
import { IsolatedNetwork } from "./isolatedNetwork";
import { IsolatedProcesses } from "./isolatedProcesses";
import { type Entry, Journal } from "./journal";
import type { Finished } from "./lab";
import { killTree } from "./processTree";
import { vmFields } from "./pveNode";
import { assertOfficial } from "./pveSchema";
import { type PulumiResult, readResult } from "./pulumiResult";
import { type HostState, SimulatedHost } from "./simulatedHost";
import { type MachinesSnapshot, SimulatedMachines } from "./simulatedMachines";
import { type KeyPair, newKeyPair } from "./sshKeys";
import { VmRoots, type VmsSnapshot } from "./vmRoots";

const REPO = path.join(__dirname, "../..");
const TSX = path.join(REPO, "node_modules/.bin/tsx");
/** Files of the repository that `pulumi` reads. Each stack works on a copy: a test can edit it, and the repository stays as it is. */
const PROGRAM = ["Pulumi.yaml", "package.json", "tsconfig.json", "runtime.cjs", "index.ts"];
export const PROGRAM_FOLDERS = ["config", "plan", "remote", "credentials", "components", "scripts", "cli"];

/** Addresses of Pulumi.homelab.yaml. */
const NETWORK = "192.168.2.0/24";
const HOST = "192.168.2.167";

/** First entry in the journal of every `up`. */
export const GATE_CHECK = "homelab-gate-check look";
/** First entry if the cluster exists: this look also finds what must be repaired. */
export const LOOK = "homelab-status look";

/** The object under `proxmox-k3s:cluster`. It has no type: a test may write what a person may write. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type ClusterConfig = any;

/** A saved homelab, from which any number of others can start. */
export interface HomelabSnapshot {
  readonly folder: string;
  readonly machines: MachinesSnapshot;
  readonly vms: VmsSnapshot;
  readonly host: HostState;
  readonly keys: Keys;
}

interface Keys {
  readonly host: KeyPair;
  readonly node: KeyPair;
  /** Secret of the API token that `env` starts with. A homelab from a snapshot needs the same: `destroy` takes it from the state. */
  readonly apiToken: string;
}

/**
 * The program with the content of Pulumi.homelab.yaml, under the real engine and the real Proxmox client. Everything else is
 * simulated: the lab's Proxmox API over simulated guests, and a double of the machines' shells, in which the program's own
 * scripts run. The addresses are the homelab's, in a network namespace that contains nothing else. Only the example keys of the
 * stack's file are changed.
 */
export class Homelab {
  readonly journal = new Journal();
  /** Every request to the API with its answer, including those of the host's own `pct`. */
  readonly exchanges: Exchange[] = [];
  readonly machines: SimulatedMachines;
  readonly vms: VmRoots;
  readonly host: SimulatedHost;
  /** What goes wrong with the API, the guests and the host's port 22. Empty at the start; a snapshot does not include it. */
  readonly faults: Faults;
  /** Environment of `pulumi`, credentials included; a test may remove some. */
  readonly env: Record<string, string>;
  private api?: PveServer;

  private constructor(
    private readonly folder: string,
    readonly network: IsolatedNetwork,
    private readonly processes: IsolatedProcesses,
    readonly keys: Keys,
    from?: HomelabSnapshot,
  ) {
    const { journal } = this;
    const commands = (machine: string): string => this.path("commands", machine);
    const guestRoots = this.path("host", "var/lib/lxc");
    this.machines = new SimulatedMachines({ journal, folder: guestRoots, commands: commands("guest"), processes });
    this.vms = new VmRoots(this.machines, processes, (volid) => this.onLocal(volid.slice("local:".length)));
    this.faults = new Faults(this.path("faults"), { nodeDir: path.join(this.etcPve, "nodes/pve") });
    this.host = new SimulatedHost({
      ...{ journal, processes, machines: this.machines, vms: this.vms, driver: this.faults.driver(this.machines) },
      ...{ root: this.path("host"), commands: commands("host"), apiSocket: this.apiSocket },
      address: HOST,
      authorizedKeys: [keys.host.public],
      ...(from ? { state: from.host } : {}),
    });
    this.env = {};
  }

  /** Starts a homelab without a cluster, or from a snapshot. */
  static async start(from?: HomelabSnapshot): Promise<Homelab> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "homelab-"));
    const keys = from?.keys ?? { host: newKeyPair(), node: newKeyPair(), apiToken: randomUUID() };
    const network = await IsolatedNetwork.create([NETWORK]);
    const homelab = new Homelab(folder, network, await IsolatedProcesses.create(), keys, from);
    await homelab.open(from);
    return homelab;
  }

  /** Requests that the program itself has sent to the API. */
  get asked(): Exchange[] {
    return this.exchanges.filter(({ user }) => user !== "root@pam");
  }

  /** VMIDs of all guests of both kinds, without templates. */
  get guests(): number[] {
    const all = [...this.machines.guests.keys(), ...this.vms.guests.keys()];
    return all.filter((vmid) => this.host.conf(String(vmid))?.options.get("template") !== "1");
  }

  /** The stack's current config. */
  get cluster(): ClusterConfig {
    return parse(fs.readFileSync(this.stackFile, "utf8")).config["proxmox-k3s:cluster"];
  }

  /** Changes the stack's config. */
  edit(change: (cluster: ClusterConfig) => void): void {
    const content = parse(fs.readFileSync(this.stackFile, "utf8"));
    change(content.config["proxmox-k3s:cluster"]);
    fs.writeFileSync(this.stackFile, stringify(content));
  }

  /** For `host.delay`: a script runs only after these entries have begun; it waits a minute at most. */
  async once(...whats: readonly string[]): Promise<number> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline && !whats.every((what) => this.journal.whats().includes(what)))
      await new Promise((resolve) => setTimeout(resolve, 5));
    return 10;
  }

  /** Changes a file in this homelab's copy of the program. */
  editProgram(file: string, change: (text: string) => string): void {
    const target = this.path("program", file);
    const [before, after] = [fs.readFileSync(target, "utf8"), change(fs.readFileSync(target, "utf8"))];
    if (before === after) throw new Error(`the edit of ${file} changes nothing`);
    fs.writeFileSync(target, after);
  }

  /** A preview that lists all its steps. */
  preview(...args: string[]): Promise<PulumiResult> {
    return this.pulumi("preview", "--json", ...args);
  }

  up(...args: string[]): Promise<PulumiResult> {
    return this.pulumi("up", "--yes", "--skip-preview", ...args);
  }

  destroy(...args: string[]): Promise<PulumiResult> {
    return this.pulumi("destroy", "--yes", "--skip-preview", ...args);
  }

  /**
   * Runs `pulumi <command>` and kills it with its plugins (SIGKILL) as soon as an entry begins for which `moment` is true.
   * Scripts and tasks that were started run on; the stack stays locked until {@link cancel}.
   * @throws Error if the command ended before that
   */
  async killed(moment: (entry: Entry) => boolean, command: "up" | "destroy", ...args: string[]): Promise<void> {
    let isKilled = false;
    const { stdout } = await this.spawn(pulumi(command, "--yes", "--skip-preview", ...args), {
      started: (pid) => {
        this.journal.watch = (entry) => {
          if (isKilled || !moment(entry)) return;
          isKilled = true;
          killTree(pid);
        };
      },
    });
    this.journal.watch = () => {};
    if (!isKilled) throw new Error(`pulumi ${command} had ended before it could be killed:\n${stdout}`);
  }

  /** Unlocks the stack after a kill. */
  async cancel(): Promise<void> {
    const { code, stderr } = await this.pulumi("cancel", "--yes");
    if (code !== 0) throw new Error(`pulumi cancel: ${stderr}`);
  }

  /** Runs `pulumi <command>` in this homelab's network. */
  async pulumi(command: string, ...args: string[]): Promise<PulumiResult> {
    const log = this.path("events.json");
    fs.rmSync(log, { force: true });
    const events = ["up", "destroy", "preview", "refresh"].includes(command) ? ["--event-log", log] : [];
    const { code, stdout, stderr } = await this.spawn(pulumi(command, ...events, ...args));
    return readResult(code, stdout, stderr, log);
  }

  /** Runs the command through the Automation API; each event is a line of the output. */
  automation(command: "preview" | "up", debug: boolean): Promise<Finished> {
    const script = path.join(REPO, "tests/support/automation.cjs");
    return this.spawn([process.execPath, script, this.path("program"), "homelab", command, debug ? "debug" : ""]);
  }

  /** Path for a file of the test, which is removed with this homelab. */
  scratch(file: string): string {
    return this.path(`scratch-${file}`);
  }

  /** The logs that the CLI writes about its runs, outside the state. */
  ownLogs(): string {
    const files = fs.readdirSync(this.path("home"), { recursive: true, encoding: "utf8" });
    const logs = files.map((file) => this.path("home", file)).filter((file) => !/[/]plugins[/]/.test(file));
    return logs.map((file) => (fs.statSync(file).isFile() ? fs.readFileSync(file, "latin1") : "")).join("\n");
  }

  /** Runs `qm` as root on the host. @throws Error with what it prints */
  async qm(...words: string[]): Promise<void> {
    const callApi: CallApi = (...args) => callApiAt(this.apiSocket, ...args);
    await runQm({ callApi, etcPve: this.etcPve, print: () => {}, input: () => Promise.resolve("") }, words);
  }

  /** `npx proxmox-k3s doctor ARGS…`. */
  doctor(...args: string[]): Promise<Finished> {
    return this.spawn([TSX, "cli/main", "doctor", "--stack", "homelab", ...args]);
  }

  /** `npx proxmox-k3s ARGS…` as a script runs it, in this homelab's network and its copy of the program. */
  command(...args: string[]): Promise<Finished> {
    return this.spawn([TSX, "cli/main", ...args]);
  }

  /** The same at a terminal, where a person types `answer` at the prompt. */
  commandAtTerminal(answer: string, ...args: string[]): Promise<Finished> {
    const command = [TSX, "cli/main", ...args].map(quote).join(" ");
    return this.spawn(["script", "--quiet", "--return", "--command", command, "/dev/null"], { input: `${answer}\n` });
  }

  /** Runs a command in this homelab's network to its end. */
  private async spawn(
    command: readonly string[],
    { started, input = "" }: { started?: (pid: number) => void; input?: string } = {},
  ): Promise<Finished> {
    const [program, ...enter] = this.network.enter;
    const child = spawn(program!, [...enter, ...command], { cwd: this.path("program"), env: this.env, stdio: "pipe" });
    if (child.pid !== undefined) started?.(child.pid);
    const { code, ...output } = await endOf(child, input);
    return { code: code ?? -1, ...output };
  }

  /** Names and types of all resources in the state. */
  async state(): Promise<{ urn: string; type: string; name: string }[]> {
    const { stdout } = await this.pulumi("stack", "export");
    const resources = JSON.parse(stdout).deployment.resources ?? [];
    return resources.map(({ urn, type }: { urn: string; type: string }) => ({
      urn,
      type,
      name: urn.split("::").at(-1)!,
    }));
  }

  /** Makes an API token with this name and with the privileges that the program needs. */
  newApiToken(
    tokenName: string,
    tokenSecret = randomUUID() as string,
    templates: readonly number[] = [],
    images: readonly string[] = [],
  ): string {
    const grants = readmeGrants("homelab", templates, images);
    const access = { rootPassword: "root-password", tokenName, tokenSecret, grants };
    return createAccess(this.etcPve, access).apiToken;
  }

  /** Makes a template of virtual machines, and lets the token of `env` clone it. */
  async makeVmTemplate(vmid: number): Promise<void> {
    const call = (...args: Parameters<CallApi>): Promise<unknown> => callApiAt(this.apiSocket, ...args);
    const [disk, name] = ["local-lvm:2,discard=on,iothread=1", "golden"];
    const fields = Object.entries(vmFields(vmid, { name, scsi0: disk }));
    await call("POST", "/nodes/pve/qemu", Object.fromEntries(fields.map(([key, value]) => [key, String(value)])));
    await this.idle();
    await call("POST", `/nodes/pve/qemu/${vmid}/template`, {});
    await this.idle();
    this.newApiToken("pulumi", this.keys.apiToken, [vmid]);
  }

  /** Lets the token of `env` download images to this storage. */
  allowImages(storage: string): void {
    this.newApiToken("pulumi", this.keys.apiToken, [], [storage]);
  }

  /** Path of a file on the storage `local`. @param volume what follows the colon of its volume ID */
  onLocal(volume: string): string {
    return this.path("host/var/lib/vz", volume);
  }

  /** Removes every credential from the environment. */
  takeCredentials(): void {
    for (const name of CREDENTIALS) delete this.env[name];
  }

  /** From now on neither the API nor any shell answers. */
  async switchOff(): Promise<void> {
    await this.network.close();
  }

  /** Saves the current state; afterwards this homelab can go on or be disposed of. */
  save(): HomelabSnapshot {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "homelab-snapshot-"));
    for (const part of ["state", "host", "pve-state", "program"]) copy(this.path(part), path.join(folder, part));
    const [machines, vms] = [this.machines.save(), this.vms.save()];
    return { folder, machines, vms, host: structuredClone(this.host.state), keys: this.keys };
  }

  /** Resolves when no task of the API is running. */
  async idle(): Promise<void> {
    await this.api?.idle();
  }

  /** Ends everything. @throws Error if an exchange with the API did not match the official schema */
  async dispose(): Promise<void> {
    await this.idle();
    await this.network.dispose();
    await this.processes.dispose();
    this.host.close();
    this.machines.dispose();
    await this.api?.close();
    fs.rmSync(this.folder, { recursive: true, force: true });
    assertOfficial(this.exchanges);
  }

  get stackFile(): string {
    return this.path("program", "Pulumi.homelab.yaml");
  }

  private get etcPve(): string {
    return this.path("host", "etc/pve");
  }

  private get apiSocket(): string {
    return this.path("api.sock");
  }

  private path(...parts: string[]): string {
    return path.join(this.folder, ...parts);
  }

  private async open(from?: HomelabSnapshot): Promise<void> {
    for (const part of ["state", "pve-state"]) fs.mkdirSync(this.path(part));
    if (from) copy(from.folder, this.folder);
    await this.host.open();
    if (from) await this.machines.restore(from.machines);
    if (from) await this.vms.restore(from.vms);
    await this.openNetwork();
    const toolchain = await ensureToolchain((line) => console.error(line));
    makePulumiHome(this.path("home"), toolchain.pluginsDir);
    fs.writeFileSync(this.path("host-key"), this.keys.host.private, { mode: 0o600 });
    fs.writeFileSync(this.path("node-key"), this.keys.node.private, { mode: 0o600 });
    const { PATH, ...settings } = toolchainEnv(toolchain, this.path("home"));
    const compileCache = process.env["NODE_COMPILE_CACHE"];
    Object.assign(this.env, settings, compileCache && { NODE_COMPILE_CACHE: compileCache }, {
      PATH,
      HOME: this.folder,
      // Without the metadata files, which a kill can leave empty (docs/operations.md).
      PULUMI_BACKEND_URL: `file://${this.path("state")}?metadata=skip`,
      PULUMI_CONFIG_PASSPHRASE: "test",
      // `--event-log` is a flag for developers.
      PULUMI_DEBUG_COMMANDS: "true",
      SSL_CERT_FILE: this.path("cert.pem"),
      PROXMOX_VE_API_TOKEN: this.newApiToken("pulumi", this.keys.apiToken),
      PROXMOX_K3S_HOST_SSH_KEY_FILE: this.path("host-key"),
      PROXMOX_K3S_NODE_SSH_KEY_FILE: this.path("node-key"),
    });
    if (from) return;
    this.copyProgram();
    const made = await this.pulumi("stack", "init");
    if (made.code !== 0) throw new Error(`pulumi stack init: ${made.stderr}`);
  }

  private copyProgram(): void {
    fs.mkdirSync(this.path("program"));
    for (const file of [...PROGRAM, ...PROGRAM_FOLDERS, "Pulumi.homelab.yaml"])
      copy(path.join(REPO, file), this.path("program", file));
    fs.symlinkSync(path.join(REPO, "node_modules"), this.path("program", "node_modules"));
    this.edit((cluster) => {
      cluster.proxmox.hostKey = this.host.state.hostKey.public;
      cluster.ssh.authorizedKeys = [this.keys.node.public];
    });
  }

  private async openNetwork(): Promise<void> {
    this.api = await startHomelabApi({
      ...{ folder: this.folder, etcPve: this.etcPve, socket: this.apiSocket },
      lockDir: this.path("host", "run/lock"),
      address: HOST,
      driver: this.host.driver,
      vms: this.faults.driver(this.vms),
      faults: this.faults,
      onRequest: ({ method, path }) => this.journal.end(this.journal.begin("request", `${method} ${path}`)),
      onExchange: (exchange) => this.exchanges.push(exchange),
    });
    const port = Number(new URL(this.api.url).port);
    await this.network.listen(8006, (socket) => {
      const onward = connect(port, "127.0.0.1");
      onward.on("error", () => socket.destroy());
      socket.on("close", () => onward.destroy());
      socket.pipe(onward).pipe(socket);
    });
    await this.network.listen(22, (socket) => {
      const isRefused = socket.localAddress === HOST && this.faults.strike("ssh-refused", "a connection to the host");
      if (isRefused) socket.resetAndDestroy();
      else this.host.serve(socket);
    });
  }
}

function pulumi(command: string, ...args: string[]): string[] {
  return ["pulumi", command, "--stack", "homelab", "--non-interactive", ...args];
}

const CREDENTIALS = ["PROXMOX_VE_API_TOKEN", "PROXMOX_K3S_HOST_SSH_KEY_FILE", "PROXMOX_K3S_NODE_SSH_KEY_FILE"];

/** Copies a folder. Links stay links; a machine's `/run` is left out, as after a boot. */
function copy(from: string, to: string): void {
  const isKept = (file: string): boolean => path.basename(file) !== "run";
  fs.cpSync(from, to, { recursive: true, verbatimSymlinks: true, filter: isKept });
}
