import { arg, type RemoteTask, ScriptFailure } from "./remoteTask";
import { isOurs, type Roster, type ServerLine, type SimulatedHost } from "./simulatedHost";
import type { SimulatedDisk, SimulatedK3s } from "./simulatedMachines";

/** What the double of the host's shells answers to the scripts that decide between servers: etcd is a list of names here. */

/** The roster and the removal's policy; a server that has gone from the plan is kept in mind until it has left. */
export function roster(host: SimulatedHost, { action, args }: RemoteTask): string {
  const id = arg(args, "CLUSTER_ID");
  if (action === "delete") {
    host.state.rosters.delete(id);
    return "roster removed";
  }
  const mark = arg(args, "MARK");
  const servers = arg(args, "SERVERS")
    .split("\n")
    .map((line) => line.split(" "))
    .map(([vmid, name]): ServerLine => ({ vmid: Number(vmid), name: name! }));
  const isKept = ({ name }: ServerLine): boolean => servers.some((server) => server.name === name);
  const isInPlan = (line: ServerLine): boolean =>
    servers.some(({ vmid, name }) => vmid === line.vmid && name === line.name);
  const before = host.state.rosters.get(id);
  const allowControlPlaneLoss = arg(args, "ALLOW_CONTROL_PLANE_LOSS") === "yes";
  const lost = before?.servers.some(isKept) ? [] : (before?.servers.filter(hasOurGuest(host, mark)) ?? []);
  if (lost.length > 0 && !allowControlPlaneLoss)
    throw new ScriptFailure(`the config keeps none of the cluster's servers: ${lost.map(({ name }) => name).join()}`);
  host.state.rosters.set(id, {
    servers,
    former: [...(before?.servers ?? []), ...(before?.former ?? [])].filter((line) => !isInPlan(line)),
    mark,
    drainTimeout: arg(args, "DRAIN_TIMEOUT"),
    onBlocked: arg(args, "ON_BLOCKED"),
    allowControlPlaneLoss,
  });
  return "roster";
}

/** Whom a server's K3s is to join, if anybody: written on its disk. */
export function join(host: SimulatedHost, { args }: RemoteTask): string {
  const [id, name] = [arg(args, "CLUSTER_ID"), arg(args, "NAME")];
  const { servers, former, mark, allowControlPlaneLoss } = rosterOf(host, id);
  const disk = host.machines.disk(Number(arg(args, "VMID")));
  if (disk.k3s) return `${name} is a server already`;
  const holders = [...servers, ...former]
    .filter((line) => line.name !== name)
    .filter(hasOurGuest(host, mark))
    .filter(({ vmid }) => !host.machines.isRunning(vmid) || host.machines.disks.get(vmid)?.k3s);
  if (holders.length === 0) {
    delete disk.join;
    return `${name} begins the cluster`;
  }
  const live = findServer(host, id, name);
  if (!live) {
    const who = holders.map((line) => `${line.name} (${line.vmid})`).join(" ");
    throw new ScriptFailure(
      `none of the cluster's servers answered within 0 s: ${who}; ${name} would have begun a second cluster`,
    );
  }
  const { config, caHash } = live;
  if (host.state.etcd.size === 0) {
    if (!allowControlPlaneLoss) throw new ScriptFailure(`${name} cannot join what is in SQLite`);
    delete disk.join;
    return `${name} begins the cluster`;
  }
  for (const gone of former.map((line) => line.name).filter((each) => host.state.etcd.has(each)))
    if (!answers(host, id, gone) && holdsWithout(host, id, gone)) host.state.etcd.delete(gone);
  const { others, silent } = othersOf(host, id, name);
  if (!holdsBeside(host, id, name))
    throw new ScriptFailure(
      `etcd takes no new member, so that ${name} cannot join: of ${others.length} servers these do not answer: ${silent.join(" ")}`,
    );
  const address = /^node-ip: (.*)$/m.exec(config)![1]!;
  disk.join = { address, caHash };
  return `${name} joins through ${address}`;
}

/** The CA of the cluster that a new server joins; undefined for one that begins it. */
export function joined(host: SimulatedHost, disk: SimulatedDisk, token: string): string | undefined {
  if (!disk.join) return undefined;
  const server = host.machines.disks.get(host.machines.at(disk.join.address) ?? 0)?.k3s;
  if (!server) throw new ScriptFailure(`failed to get CA certs: no K3s server at "${disk.join.address}"`);
  if (server.caHash !== disk.join.caHash) throw new ScriptFailure("token CA hash does not match");
  if (server.token !== token) throw new ScriptFailure("not authorized");
  return server.caHash;
}

/** A server may be disturbed for a moment. */
export function quorum(host: SimulatedHost, { args }: RemoteTask): string {
  const [id, name] = [arg(args, "CLUSTER_ID"), arg(args, "NAME")];
  if (!host.state.etcd.has(name) || !answers(host, id, name)) return `${name} has no part in etcd's majority now`;
  if (!holdsBeside(host, id, name))
    throw new ScriptFailure(
      `${name} was not touched, which would ${arg(args, "EFFECT")}: without it etcd has no majority, as these servers do not answer: ${othersOf(host, id, name).silent.join(" ")}`,
    );
  return "the other servers hold the majority";
}

/** Nobody is left to ask where the last server leaves; etcd keeps its majority in all other cases. */
export function leave(host: SimulatedHost, { args }: RemoteTask): string {
  const [id, name, vmid] = [arg(args, "CLUSTER_ID"), arg(args, "NAME"), Number(arg(args, "VMID"))];
  const known = rosterOf(host, id);
  const isLast = ![...known.servers, ...known.former]
    .filter((line) => line.name !== name)
    .some(hasOurGuest(host, known.mark));
  if (arg(args, "ROLE") === "server" && isLast) {
    if (!known.allowControlPlaneLoss) throw new ScriptFailure(`${name} is the only server`);
    host.state.etcd.delete(name);
    return `${name} was the only server; there is no cluster left to leave`;
  }
  liveServer(host, id, name);
  const { well, others, silent } = othersOf(host, id, name);
  if (host.state.etcd.has(name) && !isMajority(well, others))
    throw new ScriptFailure(
      `without ${name} etcd would have no majority: ${well.length} of the ${others.length} other servers answer, not ${silent.join(" ")}`,
    );
  host.state.etcd.delete(name);
  known.former = known.former.filter((line) => line.name !== name || line.vmid !== vmid);
  const disk = host.machines.disks.get(vmid);
  if (disk) delete disk.k3s;
  host.state.members.delete(name);
  return `${name} left the cluster`;
}

/**
 * The K3s of a server that answers.
 * @throws ScriptFailure when none does
 */
export function liveServer(host: SimulatedHost, id: string, except = ""): SimulatedK3s {
  const live = findServer(host, id, except);
  if (!live) throw new ScriptFailure("no server of the cluster answered");
  return live;
}

function findServer(host: SimulatedHost, id: string, except: string): SimulatedK3s | undefined {
  const { servers, former } = rosterOf(host, id);
  const line = [...servers, ...former].find(({ name }) => name !== except && answers(host, id, name));
  return line && host.machines.disk(vmidOf(host, id, line.name)!).k3s;
}

function rosterOf(host: SimulatedHost, id: string): Roster {
  const known = host.state.rosters.get(id);
  if (!known) throw new ScriptFailure(`the roster of ${id} is missing on the Proxmox host`);
  return known;
}

/** A server's API does, which needs a majority of etcd; SQLite needs none. */
function answers(host: SimulatedHost, id: string, name: string): boolean {
  const members = [...host.state.etcd];
  const well = members.filter((member) => runs(host, id, member));
  return runs(host, id, name) && (members.length === 0 || isMajority(well, members));
}

const isMajority = (some: readonly string[], all: readonly string[]): boolean => some.length * 2 > all.length;

/** It has a guest of ours that runs K3s. */
function runs(host: SimulatedHost, id: string, name: string): boolean {
  return vmidOf(host, id, name) !== undefined;
}

function vmidOf(host: SimulatedHost, id: string, name: string): number | undefined {
  const { servers, former, mark } = rosterOf(host, id);
  return [...servers, ...former]
    .filter((line) => line.name === name)
    .filter(hasOurGuest(host, mark))
    .map(({ vmid }) => vmid)
    .find((vmid) => host.machines.isRunning(vmid) && host.machines.disks.get(vmid)?.k3s);
}

const hasOurGuest =
  (host: SimulatedHost, mark: string) =>
  ({ vmid }: ServerLine): boolean =>
    isOurs(host.conf(String(vmid)), mark);

/** The other members that answer would be a majority of themselves. */
function holdsWithout(host: SimulatedHost, id: string, name: string): boolean {
  const { well, others } = othersOf(host, id, name);
  return isMajority(well, others);
}

/** They are one beside this one, whatever becomes of it; or they are all there. */
function holdsBeside(host: SimulatedHost, id: string, name: string): boolean {
  const { well, others } = othersOf(host, id, name);
  return isMajority(well, [...others, name]) || well.length === others.length;
}

type Members = Readonly<Record<"others" | "well" | "silent", readonly string[]>>;

/** The other members of etcd, and which of them answer. */
function othersOf(host: SimulatedHost, id: string, name: string): Members {
  const others = [...host.state.etcd].filter((each) => each !== name);
  const well = others.filter((member) => answers(host, id, member));
  return { others, well, silent: others.filter((member) => !well.includes(member)) };
}
