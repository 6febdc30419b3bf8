import * as fs from "node:fs";
import type { Homelab, HomelabSnapshot } from "../homelab";
import type { Entry } from "../journal";
import type { PulumiResult } from "../pulumiResult";
import { difference, endProblems, orderProblems } from "./promises";
import { namesRecovery, remedyFor } from "./remedies";
import { type Game, killUp, playGame, recover, textOf } from "./runs";
import { POOLS } from "./mixed";
import type { Change, Step, Trouble } from "./steps";
import { Strangers } from "./strangers";
import { type Kind, type Place, PLACES, type PoolWish, SERVER, vmidOf, type Wish } from "./wish";
import { wishedNodes, wishedOf, workerName } from "./wish";

/** More than any sequence needs: each failed `up` must name something to do. */
const TRIES = 12;

/** @param from a saved homelab with a worker of each kind */
export const play = (from: HomelabSnapshot, steps: readonly Step[]): Promise<void> =>
  playGame(from, steps, (lab) => new WorkerGame(lab));

const FIRST: PoolWish = { count: 1, retired: [], cores: 4, tier: "" };

class WorkerGame implements Game<Step> {
  readonly story: string[] = [];
  private wish: Wish = { lxc: FIRST, vm: FIRST };
  private readonly strangers: Strangers;
  /** Entries of what a person did to guests: `recover` destroys only guests that have never been nodes. */
  private readonly byHand = new Set<Entry>();
  /** A guest was stopped or removed, and no `up --refresh` has succeeded since. */
  private drifted = false;
  /** Whether the last `up` succeeded. */
  private settled = true;
  /**
   * An `up` has failed or was killed, and no `up --refresh` has succeeded since. Until a refresh, the state may have the client's
   * wish instead of the real value: a guest that did not start has `started: true` there.
   */
  private hasFailed = false;
  /** An error has named `recover`, or an `up` was killed (docs/operations.md names it for that), and `recover` has not run since. */
  private owesRecovery = false;

  constructor(private readonly lab: Homelab) {
    this.strangers = new Strangers(lab);
  }

  async step({ change, trouble, again }: Step): Promise<void> {
    this.story.push(`- ${JSON.stringify(change)}${trouble ? `, then ${JSON.stringify(trouble)}` : ""}`);
    await this.change(change);
    const run = await this.up(trouble);
    if (run.code === 0) return;
    if (!trouble) await this.fix(run);
    if (again) await this.settle();
  }

  async end(): Promise<void> {
    this.story.push("- the end");
    // Recover now: no later `up` may find an incomplete guest, because the plan may no longer use its VMID.
    if (this.owesRecovery) await this.recover();
    this.drifted ||= this.hasFailed;
    if (!this.settled || this.drifted) await this.settle();
    this.report(await endProblems(this.lab, this.wish, this.strangers.vmids));
    const second = await this.up();
    this.report(difference("changes of a second up", Object.keys(second.changes), []));
    this.lab.journal.clear();
    const destroyed = await this.lab.destroy();
    this.report([
      ...(destroyed.code === 0 ? [] : [`destroy fails:\n${textOf(destroyed)}`]),
      ...difference("guests after destroy", this.lab.guests, this.strangers.vmids),
      ...difference(
        "resources after destroy",
        (await this.lab.state()).map(({ name }) => name),
        [],
      ),
      ...this.lab.journal.whats("script").filter((what) => what.includes("-leave ")),
      ...this.strangers.touched(),
    ]);
  }

  private async change(change: Change): Promise<void> {
    switch (change.change) {
      case "count":
      case "cores":
      case "tier":
        return this.wishFor(change.kind, { [change.change]: change.to });
      case "retire":
        return this.retire(change, !this.wish[change.kind].retired.includes(change.index));
      case "stop":
        return this.stop(change);
      case "remove":
        return this.isOurs(vmidOf(change)) ? this.remove(vmidOf(change)) : undefined;
      case "usurp":
        if (this.isOurs(vmidOf(change))) await this.remove(vmidOf(change));
        return this.stranger(vmidOf(change), change.stranger, change.running);
      case "stranger": {
        const { kind, stranger, running, wanted } = change;
        const next = { count: this.wish[kind].count + 1 };
        await this.stranger(wishedOf(this.wished(kind, next), kind).at(-1)!.vmid, stranger, running);
        return wanted ? this.wishFor(kind, next) : undefined;
      }
    }
  }

  /** Runs `up` until it succeeds; after each failure it does what the error says. */
  private async settle(): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      const run = await this.up();
      if (run.code === 0) return;
      await this.fix(run);
    }
    throw new Error(`up still fails after ${TRIES} times`);
  }

  private async up(trouble?: Trouble): Promise<PulumiResult> {
    const { lab } = this;
    if (trouble?.trouble === "kill") await this.killed(trouble.after);
    if (trouble?.trouble === "script")
      for (const name of [SERVER.name, ...PLACES.map(workerName)])
        for (const action of ["create", "update", "delete"])
          lab.host.failAt(`${name}-${trouble.name} ${action}`, "a fault of the sequence");
    if (trouble?.trouble === "fault") lab.faults.set(trouble.fault);
    const run = await lab.up(...this.flags);
    lab.host.clearFailures();
    lab.faults.clear();
    this.story.push(`  pulumi up ${this.flags.join(" ")}: ${run.code === 0 ? "ok" : textOf(run)}`);
    this.settled = run.code === 0;
    this.hasFailed = this.settled ? this.hasFailed && !this.drifted : true;
    if (this.settled) this.drifted = false;
    else this.owesRecovery ||= namesRecovery(run);
    this.report([...orderProblems(lab.journal.entries, this.byHand), ...this.strangers.touched()]);
    return run;
  }

  /** Kills an `up`, unless it ends before; scripts and tasks that it has started run on. */
  private async killed(after: number): Promise<void> {
    const isKilled = await killUp(this.lab, after, this.flags);
    this.story.push(`  pulumi up, ${isKilled ? "killed, and pulumi cancel" : "ended too early to be killed"}`);
    this.hasFailed ||= isKilled;
    this.owesRecovery ||= isKilled;
  }

  /** Does what the errors say. @throws Error if they name nothing to do */
  private async fix(run: PulumiResult): Promise<void> {
    const remedy = remedyFor(run);
    if (!remedy) throw new Error(`up fails without a remedy:\n${textOf(run)}`);
    this.story.push(`  ${JSON.stringify(remedy)}`);
    switch (remedy.kind) {
      case "give way":
        if (remedy.refreshFails) this.drifted = false;
        return this.retire(
          PLACES.find((place) => vmidOf(place) === remedy.vmid)!,
          true,
        );
      case "forget":
        return this.forget(remedy.node);
      case "recover":
        return this.recover();
      case "refresh":
        this.drifted = true;
    }
  }

  private get flags(): string[] {
    return this.drifted ? ["--refresh"] : [];
  }

  private wished(kind: Kind, change: Partial<PoolWish>): Wish {
    return { ...this.wish, [kind]: { ...this.wish[kind], ...change } };
  }

  private wishFor(kind: Kind, change: Partial<PoolWish>): void {
    this.wish = this.wished(kind, change);
    this.lab.edit(({ pools }) => {
      const { tier, ...wish } = this.wish[kind];
      Object.assign(pools[POOLS[kind]], wish, { labels: tier === "" ? {} : { tier } });
    });
  }

  private retire({ kind, index }: Place, out: boolean): void {
    const others = this.wish[kind].retired.filter((each) => each !== index);
    this.wishFor(kind, { retired: out ? [...others, index] : others });
  }

  private async stop(place: Place): Promise<void> {
    const vmid = place.index === 0 ? SERVER.vmid : vmidOf(place);
    if (!this.isOurs(vmid) || !this.lab.machines.isRunning(vmid)) return;
    await this.lab.host.driverOf(vmid).stop(vmid, () => {});
    this.drifted = true;
  }

  /** Makes another person's guest, if the VMID is free. */
  private async stranger(vmid: number, kind: Kind, running: boolean): Promise<void> {
    if (!fs.existsSync(this.lab.host.confFile(vmid))) await this.strangers.make(vmid, running, kind);
  }

  /** Removes a guest with its disk, as by hand. */
  private async remove(vmid: number): Promise<void> {
    const before = this.lab.journal.entries.length;
    await this.lab.host.destroy(vmid);
    for (const entry of this.lab.journal.entries.slice(before)) this.byHand.add(entry);
    this.drifted = true;
  }

  /**
   * Makes the program forget a node. A node that is still in the config is retired first, so that it leaves. Otherwise
   * `pulumi state delete` removes its guest, or the guard's step if a refresh has already removed the guest.
   */
  private async forget(node: string): Promise<void> {
    if (wishedNodes(this.wish).some(({ name }) => name === node))
      return this.retire(
        PLACES.find((place) => workerName(place) === node)!,
        true,
      );
    const state = await this.lab.state();
    const guest = state.find(({ name, type }) => name === node && type.startsWith("proxmoxve:"));
    const { urn } = guest ?? state.find(({ name }) => name === `${node}-guard`)!;
    const { code, stderr } = await this.lab.pulumi("state", "delete", urn, "--target-dependents", "--yes");
    if (code !== 0) throw new Error(`pulumi state delete: ${stderr}`);
  }

  private async recover(): Promise<void> {
    this.owesRecovery = false;
    this.story.push("  npx proxmox-k3s recover");
    const before = this.lab.journal.entries.length;
    try {
      await recover(this.lab);
    } finally {
      for (const entry of this.lab.journal.entries.slice(before)) this.byHand.add(entry);
    }
  }

  private isOurs(vmid: number): boolean {
    return this.lab.guests.includes(vmid) && !this.strangers.has(vmid);
  }

  private report(problems: readonly string[]): void {
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }
}
