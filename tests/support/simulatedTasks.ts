import { isDeepStrictEqual } from "node:util";
import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type GuestConfigFile, printGuestConfig, type RawLine } from "../../lab/pve/guestConfig";
import { arg, type RemoteTask, ScriptFailure } from "./remoteTask";
import { isOurs, type SimulatedHost } from "./simulatedHost";
import { newCaHash, type SimulatedK3s } from "./simulatedMachines";
import { join, joined, leave, liveServer, quorum, roster } from "./simulatedServers";

/** What the double of the host's shells answers to each script of the program. */

type Answer = (host: SimulatedHost, task: RemoteTask, vmid: number) => string | Promise<string>;

/** A task by the last part of its step's name. */
const TASKS = {
  roster,

  // What it looks at and says is for the script's own tests: files in tests/unit/scripts, a host in tests/lab/doctor.
  preflight: () => "the Proxmox host is ready",

  "release-sums": () => `${"5a".repeat(32)} -`,

  claim: async (host, { action, args }) => {
    const vmid = arg(args, "VMID");
    // A creation begins with a file that says only that it is locked.
    const isUnborn = (): boolean => [...(host.conf(vmid)?.options.keys() ?? [])].join() === "lock";
    for (let looks = 0; isUnborn() && looks < 600; looks++) await sleep(50);
    const conf = host.conf(vmid);
    if (!conf && action === "create") host.state.creations.set(vmid, arg(args, "CREATION"));
    if (!conf) return `VMID ${vmid} is free`;
    if (!isOurs(conf, arg(args, "MARK"))) throw foreign(vmid, conf);
    const held = conf.options.get("hostname");
    if (held !== arg(args, "NAME")) throw new ScriptFailure(`VMID ${vmid} is this cluster's node ${held}`);
    if (action === "create")
      throw new ScriptFailure(
        `VMID ${vmid} carries our mark but is not in this stack's state\nnext:  npm run cluster -- recover`,
      );
    return `VMID ${vmid} is ours`;
  },

  guests: (host, { args }) =>
    host
      .confs()
      .filter(([, conf]) => isOurs(conf, arg(args, "MARK")))
      .map(([vmid, conf]) => {
        const lock = conf.options.get("lock") ?? "-";
        const state = isUnfinished(host, vmid, conf) ? "unfinished" : "-";
        return `${vmid} pve lxc ${lock} ${creationOf(conf) ?? "-"} ${state} ${conf.options.get("hostname") ?? ""}`;
      })
      .join("\n"),

  discard: async (host, { args }) => {
    const vmid = arg(args, "VMID");
    const deadline = Date.now() + Number(arg(args, "WAIT")) * 1000;
    while (host.conf(vmid)?.options.get("lock") === "create" && Date.now() < deadline) await sleep(50);
    const conf = host.conf(vmid);
    if (!conf) return `guest ${vmid} is already gone`;
    if (!isOurs(conf, arg(args, "MARK"))) throw foreign(vmid, conf);
    if (creationOf(conf) !== arg(args, "CREATION") || !isUnfinished(host, vmid, conf))
      throw new ScriptFailure(`guest ${vmid} is not the one that was found before`);
    await host.destroy(Number(vmid), host.driver);
    host.state.creations.delete(vmid);
    return `guest ${vmid} was destroyed`;
  },

  lxc: async (host, { action, args }) => {
    const vmid = arg(args, "VMID");
    const conf = host.conf(vmid);
    if (!conf && action === "delete") return `guest ${vmid} is already gone`;
    if (!conf) throw new ScriptFailure(`guest ${vmid} does not exist on this Proxmox host`);
    if (!isOurs(conf, arg(args, "MARK"))) throw foreign(vmid, conf);
    if (action === "delete") return `guest ${vmid} is ours`;
    const raw = arg(args, "RAW_LINES").split("\n").map(rawLine);
    const wanted = { ...conf, options: new Map(conf.options).set("features", arg(args, "FEATURES")), raw };
    const text = printGuestConfig(wanted);
    const changed = text !== fs.readFileSync(host.confFile(vmid), "utf8");
    fs.writeFileSync(host.confFile(vmid), text);
    host.state.creations.delete(vmid);
    const number = Number(vmid);
    if (changed && host.machines.isRunning(number)) await host.driver.stop(number, () => {});
    if (!host.machines.isRunning(number)) await host.driver.start(number, wanted, () => {});
    const addresses = (await host.driver.interfaces(number)).map(({ inet }) => inet?.replace(/\/.*/, ""));
    if (addresses.length === 0)
      throw new ScriptFailure(`${arg(args, "NAME")} (${vmid}) ended by itself while it was set up`);
    if (!addresses.includes(arg(args, "ADDRESS")))
      throw new ScriptFailure(`${arg(args, "NAME")} (${vmid}) runs, but without its address ${arg(args, "ADDRESS")}`);
    host.machines.disk(number).authorizedKeys = arg(args, "AUTHORIZED_KEYS").split("\n");
    return `container ${vmid}: configuration ${changed ? "written, started" : "kept"}`;
  },

  // The files of the release are not simulated, nor is the download of them.
  artifacts: () => "files of the release are on the node",

  "host-key": (host, { args }) => host.machines.disk(Number(arg(args, "VMID"))).hostKey.public,

  k3s: (host, { args, secrets }, vmid) => {
    const [role, name, version] = [arg(args, "ROLE"), arg(args, "NAME"), arg(args, "VERSION")];
    if (host.conf(String(vmid))?.options.get("hostname") !== name)
      throw new ScriptFailure(`the host name is not ${name}`);
    if (!/^[0-9a-f]{64}$/.test(arg(args, "SHA256"))) throw new ScriptFailure("no SHA-256 of the binary");
    const token = arg(secrets, "TOKEN");
    const disk = host.machines.disk(vmid);
    const [before, config] = [disk.k3s, arg(args, "CONFIG")];
    if (role === "server") {
      const caHash = disk.k3s?.caHash ?? joined(host, disk, token) ?? newCaHash();
      disk.k3s = { role, version, token, agentToken: arg(secrets, "AGENT_TOKEN"), caHash, config };
      if (/^cluster-init: true$/m.test(config)) host.state.etcd.add(name);
    } else {
      // One that has a server keeps the one that it began with, and knows all others of its cluster.
      const isKept = before?.token === token && serverIn(host, before.config) !== undefined;
      const server = isKept ? before : serverIn(host, config);
      if (!server) throw new ScriptFailure(`failed to get CA certs: ${SERVER_LINE.exec(config)?.[0]}`);
      if (!isKept && token !== `K10${server.caHash}::node:${server.agentToken}`)
        throw new ScriptFailure("not authorized");
      const own = isKept ? config.replace(SERVER_LINE, SERVER_LINE.exec(before.config)![0]) : config;
      disk.k3s = { role, version, token, caHash: server.caHash, config: own };
    }
    host.state.members.set(name, version);
    const isSame = isDeepStrictEqual(before, disk.k3s);
    return `K3s ${version} on ${name}: ${isSame ? "unchanged, not restarted" : "started"}`;
  },

  ready: (host, { args }) => {
    liveServer(host, arg(args, "CLUSTER_ID"));
    const [name, wanted] = [arg(args, "NAME"), arg(args, "VERSION")];
    if (arg(args, "ETCD") === "yes" && !host.state.etcd.has(name))
      throw new ScriptFailure(`${name} is no member of etcd`);
    const seen = host.state.members.get(name);
    if (seen !== wanted) throw new ScriptFailure(`${name} is not Ready at ${wanted} (seen: ${seen ?? "no such node"})`);
    return `${name} is Ready at ${wanted}`;
  },

  back: (host, { args }) => {
    liveServer(host, arg(args, "CLUSTER_ID"));
    const [vmid, name] = [arg(args, "VMID"), arg(args, "NAME")];
    if (!host.machines.isRunning(Number(vmid))) throw new ScriptFailure(`${name} (${vmid}) has not come back`);
    return `${name} is Ready again`;
  },

  "ca-hash": (host, { args }) => liveServer(host, arg(args, "CLUSTER_ID")).caHash,

  kubeconfig: (host, { args }) => {
    const { caHash } = liveServer(host, arg(args, "CLUSTER_ID"));
    return [
      "apiVersion: v1",
      "clusters:",
      `- {cluster: {certificate-authority-data: ${caHash}, server: "https://127.0.0.1:6443"}, name: default}`,
      "contexts:",
      "- {context: {cluster: default, user: default}, name: default}",
      "current-context: default",
      "kind: Config",
      "users:",
      `- {name: default, user: {client-certificate-data: c29tZQ==, client-key-data: ${base64(host.state.adminKey)}}}`,
    ].join("\n");
  },

  join,

  quorum,

  leave,
} satisfies Record<string, Answer>;

/** `host-key` before `key`, so to say: the longest name first. */
const NAMES = (Object.keys(TASKS) as (keyof typeof TASKS)[]).sort((a, b) => b.length - a.length);

/**
 * The one line that a script answers.
 * @param vmid the guest that runs it; undefined is the host
 * @throws ScriptFailure where the script would fail
 */
export async function answerOf(host: SimulatedHost, task: RemoteTask, vmid: number | undefined): Promise<string> {
  const name = NAMES.find((each) => task.step.endsWith(`-${each}`));
  if (name === undefined) throw new Error(`the double knows no script for ${task.step}`);
  // Files come by download on the node, or from the host.
  if (name !== "artifacts" && (vmid !== undefined) !== (name === "k3s"))
    throw new Error(`${task.step} ran on the wrong machine`);
  return TASKS[name](host, task, vmid ?? 0);
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

const SERVER_LINE = /^server: https:\/\/([\d.]+):6443$/m;

/** The server that an agent's configuration names; undefined where none runs at its address. */
function serverIn(host: SimulatedHost, config: string): SimulatedK3s | undefined {
  const address = SERVER_LINE.exec(config)?.[1] ?? "";
  return host.machines.disks.get(host.machines.at(address) ?? 0)?.k3s;
}

function creationOf(conf: GuestConfigFile): string | undefined {
  return /^creation ([0-9a-f]{16}) of /.exec(conf.options.get("description") ?? "")?.[1];
}

function isUnfinished(host: SimulatedHost, vmid: string, conf: GuestConfigFile): boolean {
  const number = creationOf(conf);
  return conf.raw.length === 0 && number !== undefined && host.state.creations.get(vmid) === number;
}

function foreign(vmid: string, conf: GuestConfigFile): ScriptFailure {
  return new ScriptFailure(`VMID ${vmid} belongs to the guest "${conf.options.get("hostname")}", which is not ours`);
}

function rawLine(line: string): RawLine {
  const [, key, value] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
  return [key ?? "", value ?? ""];
}
