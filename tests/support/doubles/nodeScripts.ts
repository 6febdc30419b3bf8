import { isDeepStrictEqual } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { parseStep } from "../../../plan/steps";
import { arg, type RemoteTask, ScriptFailure } from "../remoteTask";
import type { SimulatedMachines } from "../simulatedMachines";
import { newCaHash, newMemberName, type SimulatedClusters } from "./simulatedCluster";
import type { SimulatedDisk, SimulatedK3s } from "./simulatedDisk";

/** The guest in which a script runs that came by SSH. */
export interface NodeWorld {
  readonly machines: SimulatedMachines;
  readonly clusters: SimulatedClusters;
  readonly vmid: number;
  /** From the guest's configuration. */
  readonly hostname: string | undefined;
}

/**
 * Doubles of the two scripts that run on the nodes: they give the same answers, and leave the files that other scripts read.
 * Tests on real machines show what the real scripts do (tests/lab).
 * @throws ScriptFailure if the script would fail
 */
export async function answerOnNode(world: NodeWorld, task: RemoteTask): Promise<string> {
  // Neither the files of the release nor their download is simulated.
  switch (parseStep(task.step)?.step) {
    case "artifacts":
      return "files of the release are on the node";
    case "packages":
      return "the packages are installed";
    case "storage":
      return "the disks for Longhorn are mounted";
    case "k3s":
      return installK3s(world, task);
    default:
      throw new Error(`the double knows no script for ${task.step} on a node`);
  }
}

async function installK3s(world: NodeWorld, { args, secrets }: RemoteTask): Promise<string> {
  const { machines, clusters, vmid, hostname } = world;
  const [role, name, version, config] = ["ROLE", "NAME", "VERSION", "CONFIG"].map((each) => arg(args, each)) as Four;
  const token = arg(secrets, "TOKEN");
  if (hostname !== name) throw new ScriptFailure(`the host name is not ${name}`);
  if (!/^[0-9a-f]{64}$/.test(arg(args, "SHA256"))) throw new ScriptFailure("no SHA-256 of the binary");
  const registries = arg(args, "REGISTRIES") && arg(secrets, "REGISTRIES_YAML");
  const repairs = arg(args, "REPAIRS");
  const told = { role, name, version, config, token, repairs, ...(registries && { registries }) };
  const disk = machines.disk(vmid);
  const before = disk.k3s;
  const after = k3sOn(world, role === "server" ? { ...told, agentToken: arg(secrets, "AGENT_TOKEN") } : told);
  const isSame = isDeepStrictEqual(before, after) && disk.hasK3sUp;
  if (!isSame) {
    disk.k3s = after;
    clusters.register(after);
  }
  // K3s is up when its API answers.
  for (let looks = 0; role === "server" && !clusters.servedBy(vmid); looks++) {
    if (looks === 20) throw new ScriptFailure(`k3s on ${name}: not up within ${arg(args, "START_TIMEOUT")} s`);
    await sleep(100);
  }
  return isSame ? "unchanged" : "restarted";
}

type Four = [role: string, name: string, version: string, config: string];
type World = Omit<NodeWorld, "hostname">;
type Installed = Omit<SimulatedK3s, "caHash" | "member">;

/**
 * K3s as it runs after a start with these inputs.
 * @throws ScriptFailure if it does not start
 */
export function k3sOn(world: World, installed: Installed): SimulatedK3s {
  const disk = world.machines.disk(world.vmid);
  return installed.role === "server" ? serverOn(world, disk, installed) : agentOn(world, disk, installed);
}

function serverOn(world: World, disk: SimulatedDisk, installed: Installed): SimulatedK3s {
  const caHash = disk.k3s?.caHash ?? joinedCa(world, disk, installed.token) ?? newCaHash();
  const hasEtcd = /^cluster-init: true$/m.test(installed.config);
  return { ...installed, caHash, ...(hasEtcd ? { member: disk.k3s?.member ?? newMemberName(installed.name) } : {}) };
}

/** The CA of the cluster that a new server joins; undefined for the first server. */
function joinedCa({ machines, clusters }: World, { join }: SimulatedDisk, token: string): string | undefined {
  if (!join) return undefined;
  const vmid = machines.at(join.address);
  const server = clusters.servedBy(vmid) && clusters.running(vmid);
  if (!server) throw new ScriptFailure(`failed to get CA certs: no K3s server at "${join.address}"`);
  if (server.caHash !== join.caHash) throw new ScriptFailure("token CA hash does not match");
  if (server.token !== token) throw new ScriptFailure("not authorized");
  return server.caHash;
}

/** An agent that already has a server keeps it, and knows all other servers of its cluster. */
function agentOn(world: World, { k3s: before }: SimulatedDisk, installed: Installed): SimulatedK3s {
  const { token, config } = installed;
  const knowsOthers = before !== undefined && world.clusters.of(before.caHash).etcd.size > 1;
  const isKept = before?.token === token && (knowsOthers || serverIn(world, before.config) !== undefined);
  const server = isKept ? before : serverIn(world, config);
  if (!server) throw new ScriptFailure(`failed to get CA certs: ${SERVER_LINE.exec(config)?.[0]}`);
  if (!isKept && token !== `K10${server.caHash}::node:${server.agentToken}`) throw new ScriptFailure("not authorized");
  const own = isKept ? config.replace(SERVER_LINE, SERVER_LINE.exec(before.config)![0]) : config;
  return { ...installed, caHash: server.caHash, config: own };
}

const SERVER_LINE = /^server: https:\/\/([\d.]+):6443$/m;

/** The server that an agent's configuration names; undefined if none runs at its address. */
function serverIn({ machines, clusters }: World, config: string): SimulatedK3s | undefined {
  return clusters.running(machines.at(SERVER_LINE.exec(config)?.[1] ?? ""));
}
