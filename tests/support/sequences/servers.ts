import fc from "fast-check";
import type { ClusterConfig, Homelab, HomelabSnapshot } from "../homelab";
import type { Entry } from "../journal";
import type { PulumiResult } from "../pulumiResult";
import { TEMPLATE } from "./mixed";
import { difference } from "./promises";
import { namesRecovery, saidBy } from "./remedies";
import { type Game, killUp, playGame, recover, textOf } from "./runs";
import { type Kind, KINDS } from "./wish";

/*
 * Random sequences of what people and accidents do to a cluster's servers. The promises: there is never a second cluster; no
 * server's machine is removed before the server has left etcd; servers leave one at a time; and the end matches the config.
 */

/** The server pool of Pulumi.homelab.yaml with room for more servers, which are numbered by index. */
const INDICES = Array.from({ length: 12 }, (_, at) => at + 1);
const vmidOf = (index: number): number => (index === 1 ? 100 : 108 + index);
const addressOf = (index: number): string => `192.168.2.${index === 1 ? 20 : 58 + index}`;
const nameOf = (index: number): string => (index === 1 ? "k3s-master" : `k3s-master-${index}`);
export const SERVER_POOL = {
  hostname: "k3s-master-{0}",
  vmIds: INDICES.map(vmidOf),
  addresses: INDICES.map(addressOf),
};
/** With both kinds, servers with odd indices are containers, the others virtual machines. */
const kindOf = (index: number): Kind => (index % 2 === 1 ? "lxc" : "vm");
const SERVER_POOLS: Readonly<Record<Kind, string>> = { lxc: "master", vm: "master-vm" };

type Change =
  | { readonly change: "count"; readonly to: 1 | 3 | 5 }
  /** Retires one of the servers for good; a server with a new index replaces it. */
  | { readonly change: "retire"; readonly place: number }
  /** Stops a server's guest; its disk stays. Only if a majority of the servers still runs without it. */
  | { readonly change: "die"; readonly place: number }
  /** Somebody runs `pct destroy` by hand, under the same condition. */
  | { readonly change: "remove"; readonly place: number }
  /** A change that restarts K3s on every server. */
  | { readonly change: "version"; readonly to: string };

type Trouble =
  /** Every script with this name fails before it does anything. */
  | { readonly trouble: "script"; readonly name: string }
  /** Engine and plugins are killed after this many entries of the journal. */
  | { readonly trouble: "kill"; readonly after: number };

export interface ServerStep {
  readonly change: Change;
  readonly trouble?: Trouble;
}

const place = fc.nat(4);
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      change: fc.constant("count" as const),
      to: fc.constantFrom(1 as const, 3 as const, 5 as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ change: fc.constant("retire" as const), place }) },
  { weight: 3, arbitrary: fc.record({ change: fc.constant("die" as const), place }) },
  { weight: 2, arbitrary: fc.record({ change: fc.constant("remove" as const), place }) },
  { weight: 2, arbitrary: fc.record({ change: fc.constant("version" as const), to: fc.constant("v1.36.4+k3s1") }) },
);
const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  fc.record({
    trouble: fc.constant("script" as const),
    name: fc.constantFrom("claim", "lxc", "vm", "join", "quorum", "k3s", "ready", "leave"),
  }),
  fc.record({ trouble: fc.constant("kill" as const), after: fc.integer({ min: 1, max: 40 }) }),
);

export const serverSequences = fc.array(
  fc
    .record({ change, trouble: fc.option(trouble, { freq: 2, nil: undefined }) })
    .map(({ trouble: some, ...rest }): ServerStep => (some === undefined ? rest : { ...rest, trouble: some })),
  { minLength: 3, maxLength: 3 },
);

/** More than any sequence needs. */
const TRIES = 8;
/** Errors after which a stopped server must be started first; then errors that a refresh resolves. */
const BROUGHT_BACK = /these servers do not answer|would start a second cluster|would have no majority/;
const REFRESHED = /pulumi up --refresh|does not exist on this Proxmox host|no server of the cluster answered/;

/** @param from a saved homelab with three servers and a worker */
export const playServers = (from: HomelabSnapshot, steps: readonly ServerStep[]): Promise<void> =>
  playGame(from, steps, (lab) => new ServerGame(lab));

/** Three servers of both kinds instead of the homelab's one, and one worker. */
export async function threeServers(lab: Homelab): Promise<void> {
  await lab.makeVmTemplate(TEMPLATE);
  lab.edit((cluster) => {
    const { pools, k3s } = cluster;
    // Set explicitly: by default a change to one server would also mean SQLite, which is refused.
    k3s.datastore = "etcd";
    pools[SERVER_POOLS.vm] = { ...pools.master, kind: "vm", template: TEMPLATE };
    for (const kind of KINDS)
      Object.assign(pools[SERVER_POOLS[kind]], { vmIds: [], addresses: [], nodes: nodesOf(kind) });
    pools.worker.count = 1;
    wishFor(cluster, [1, 2, 3]);
  });
}

/** The possible servers of a pool, by their index in it. */
function nodesOf(kind: Kind): ClusterConfig {
  const its = INDICES.filter((index) => kindOf(index) === kind);
  const identity = (index: number) => ({ hostname: nameOf(index), vmId: vmidOf(index), address: addressOf(index) });
  return Object.fromEntries(its.map((index, at) => [at + 1, identity(index)]));
}

function wishFor({ pools }: ClusterConfig, wished: readonly number[]): void {
  for (const kind of KINDS) {
    const own = INDICES.filter((index) => kindOf(index) === kind).map((index) => wished.includes(index));
    const used = own.slice(0, own.lastIndexOf(true) + 1);
    const retired = used.flatMap((isWished, at) => (isWished ? [] : [at + 1]));
    Object.assign(pools[SERVER_POOLS[kind]], { count: used.length - retired.length, retired });
  }
}

class ServerGame implements Game<ServerStep> {
  readonly story: string[] = [];
  private count = 3;
  private retired: number[] = [];
  /** The cluster's CA, which must stay the same. */
  private readonly ca: string;
  /** A guest was stopped or removed, or an `up` has failed, and no `up --refresh` has succeeded since. */
  private drifted = false;
  private settled = true;
  private owesRecovery = false;
  private readonly broken: string[] = [];
  /** The last server that has begun to leave in this run. */
  private leaving: number | undefined;

  constructor(private readonly lab: Homelab) {
    this.ca = lab.machines.disk(100).k3s!.caHash;
  }

  async step({ change: what, trouble: some }: ServerStep): Promise<void> {
    this.story.push(`- ${JSON.stringify(what)}${some ? `, then ${JSON.stringify(some)}` : ""}`);
    await this.change(what);
    await this.up(some);
    // A person fixes every error before the next change. With only half of its servers, a cluster could not take one.
    await this.settle();
  }

  async end(): Promise<void> {
    this.story.push("- the end");
    this.drifted ||= !this.settled;
    await this.settle();
    const { lab } = this;
    const names = this.wished().map(nameOf);
    this.report([
      ...difference("guests", lab.guests, [...this.wished().map(vmidOf), 102]),
      ...difference("nodes", lab.host.members.keys(), [...names, "k3s-worker-01"]),
      ...difference("members of etcd", lab.host.etcd, names),
      ...difference(
        "servers that were not forgotten",
        lab.host.kept("former").filter((text) => text !== ""),
        [],
      ),
    ]);
    const second = await this.up();
    this.report(difference("changes of a second up", Object.keys(second.changes), []));
    const destroyed = await lab.destroy();
    this.report(difference("guests after destroy", lab.guests, []));
    if (destroyed.code !== 0) this.report([`destroy fails:\n${textOf(destroyed)}`]);
  }

  private async change(what: Change): Promise<void> {
    switch (what.change) {
      case "count":
        return this.wishFor(what.to, this.retired);
      case "retire":
        // The only server is never replaced.
        return this.count === 1 ? undefined : this.wishFor(this.count, [...this.retired, this.at(what.place)]);
      case "version":
        return this.lab.edit((cluster) => (cluster.version = what.to));
      case "die":
        return this.strike(this.at(what.place), (vmid) => this.lab.host.driverOf(vmid).stop(vmid, () => {}));
      case "remove":
        return this.strike(this.at(what.place), (vmid) => this.lab.host.destroy(vmid));
    }
  }

  /** Only if the other servers have the majority: if that were lost for good, the cluster would be, too. */
  private async strike(index: number, blow: (vmid: number) => Promise<void>): Promise<void> {
    const { etcd } = this.lab.host;
    const others = [...etcd].filter((name) => name !== nameOf(index));
    const well = others.filter((name) =>
      this.lab.machines.isRunning(vmidOf(INDICES.find((each) => nameOf(each) === name)!)),
    );
    if (!this.lab.machines.isRunning(vmidOf(index)) || well.length * 2 <= etcd.size) return;
    await blow(vmidOf(index));
    this.drifted = true;
  }

  private async settle(): Promise<void> {
    for (let tries = 0; !this.settled || this.drifted; tries++) {
      if (tries === TRIES) throw new Error(`up still fails after ${TRIES} times`);
      if (this.owesRecovery) await this.recover();
      const run = await this.up();
      if (run.code === 0) continue;
      const said = saidBy(run);
      if (namesRecovery(run)) this.owesRecovery = true;
      else if (BROUGHT_BACK.test(said)) await this.bringBack();
      else if (REFRESHED.test(said)) this.drifted = true;
      else throw new Error(`up fails without a remedy:\n${said}`);
    }
  }

  /** Runs `pct start` or `qm start` for every stopped guest of a server. */
  private async bringBack(): Promise<void> {
    this.story.push("  pct start, qm start");
    const { machines, host, guests } = this.lab;
    for (const vmid of INDICES.map(vmidOf).filter((each) => guests.includes(each) && !machines.isRunning(each)))
      await host.driverOf(vmid).start(vmid, host.conf(String(vmid))!, () => {});
  }

  private async up(some?: Trouble): Promise<PulumiResult> {
    const { lab } = this;
    const flags = this.drifted ? ["--refresh"] : [];
    this.leaving = undefined;
    if (some?.trouble === "kill") await this.killed(some.after, flags);
    lab.journal.watch = (entry) => this.judge(entry);
    if (some?.trouble === "script")
      for (const index of INDICES)
        for (const action of ["create", "update", "delete", "look"])
          lab.host.failAt(`${nameOf(index)}-${some.name} ${action}`, "a fault of the sequence");
    const run = await lab.up(...flags);
    lab.journal.watch = () => {};
    lab.host.clearFailures();
    this.story.push(`  pulumi up ${flags.join(" ")}: ${run.code === 0 ? "ok" : textOf(run)}`);
    this.settled = run.code === 0;
    this.drifted = this.settled ? false : this.drifted || some !== undefined;
    if (namesRecovery(run)) this.owesRecovery = true;
    const cas = [...lab.machines.disks.values()].flatMap(({ k3s }) => k3s?.caHash ?? []);
    this.report([...this.broken, ...difference("clusters", new Set(cas), [this.ca])]);
    return run;
  }

  /** A machine is removed only after its server has left etcd, and no leave begins before the last server's machine is removed. */
  private judge({ what }: Entry): void {
    const { guests } = this.lab;
    for (const index of INDICES) {
      const name = nameOf(index);
      if (what === `guest ${vmidOf(index)} destroy` && this.lab.host.etcd.has(name))
        this.broken.push(`the machine of ${name} was removed while it was a member of etcd`);
      if (what !== `${name}-leave delete`) continue;
      if (this.leaving !== undefined && this.leaving !== index && guests.includes(vmidOf(this.leaving)))
        this.broken.push(`${name} leaves while the machine of ${nameOf(this.leaving)} still exists`);
      this.leaving = index;
    }
  }

  private async killed(after: number, flags: readonly string[]): Promise<void> {
    const isKilled = await killUp(this.lab, after, flags, (entry) => this.judge(entry));
    this.story.push(`  pulumi up, ${isKilled ? "killed, and pulumi cancel" : "ended too early to be killed"}`);
    if (!isKilled) return;
    this.drifted = true;
    await this.recover();
  }

  private async recover(): Promise<void> {
    this.owesRecovery = false;
    this.story.push("  npx proxmox-k3s recover");
    await recover(this.lab);
  }

  private wishFor(count: number, retired: readonly number[]): void {
    // At least one server must stay, or no server could hand the cluster to the new ones.
    if (!this.wished().some((index) => wishedOf(count, retired).includes(index))) return;
    [this.count, this.retired] = [count, [...retired]];
    this.lab.edit((cluster) => wishFor(cluster, this.wished()));
  }

  private wished(): number[] {
    return wishedOf(this.count, this.retired);
  }

  private at(place: number): number {
    const wished = this.wished();
    return wished[place % wished.length]!;
  }

  private report(problems: readonly string[]): void {
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }
}

/** Computed here again on purpose, without `config/`. */
const wishedOf = (count: number, retired: readonly number[]): number[] =>
  INDICES.filter((index) => !retired.includes(index)).slice(0, count);
