import * as fs from "node:fs";
import type { Homelab, HomelabSnapshot } from "../homelab";
import type { Entry } from "../journal";
import type { PulumiResult } from "../pulumiResult";
import { difference, endProblems, orderProblems } from "./promises";
import { namesRecovery, remedyFor } from "./remedies";
import { type Game, killUp, playGame, recover, textOf } from "./runs";
import type { Change, Step, Trouble } from "./steps";
import { Strangers } from "./strangers";
import { INDICES, SERVER, vmidOf, type Wish, wishedNodes, workerName } from "./wish";

/** More than any sequence needs; each `up` that fails must name something that has to be done first. */
const TRIES = 12;

/** @param from a world at rest with two workers */
export const play = (from: HomelabSnapshot, steps: readonly Step[]): Promise<void> =>
  playGame(from, steps, (lab) => new WorkerGame(lab));

class WorkerGame implements Game<Step> {
  readonly story: string[] = [];
  private wish: Wish = { count: 2, retired: [], cores: 4, tier: "" };
  private readonly strangers: Strangers;
  /** What a person did to guests: those that `recover` destroys have never been nodes. */
  private readonly byHand = new Set<Entry>();
  /** A guest has ended or gone, and no `up --refresh` has ended well since. */
  private drifted = false;
  /** The last `up` ended well. */
  private settled = true;
  /**
   * An `up` has failed or was killed, and no `up --refresh` has ended well since. The client may then have noted what it
   * wished for in place of what is there (a guest that did not start is `started: false`), until a refresh looks.
   */
  private hasFailed = false;
  /** An error has named `recover`, or an `up` was killed (docs/operations.md names it then), and nobody has run it since. */
  private owesRecovery = false;

  constructor(private readonly lab: Homelab) {
    this.strangers = new Strangers(lab);
  }

  async step({ change, trouble, again }: Step): Promise<void> {
    this.story.push(`- ${JSON.stringify(change)}${trouble ? `, then ${JSON.stringify(trouble)}` : ""}`);
    await this.change(change);
    const run = await this.up(trouble);
    if (run.code === 0) return;
    if (!trouble) await this.mend(run);
    if (again) await this.settle();
  }

  async end(): Promise<void> {
    this.story.push("- the end");
    // No later `up` needs to come upon a guest that was half made: the plan may no longer want its VMID.
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
      ...difference("guests after destroy", this.lab.machines.guests.keys(), this.strangers.vmids),
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
    const { wish } = this;
    switch (change.change) {
      case "count":
        return this.wishFor({ ...wish, count: change.to });
      case "cores":
        return this.wishFor({ ...wish, cores: change.to });
      case "tier":
        return this.wishFor({ ...wish, tier: change.to });
      case "retire":
        return this.retire(change.index, !wish.retired.includes(change.index));
      case "stop":
        return this.stop(change.index);
      case "remove":
        return this.isOurs(vmidOf(change.index)) ? this.remove(vmidOf(change.index)) : undefined;
      case "usurp":
        if (this.isOurs(vmidOf(change.index))) await this.remove(vmidOf(change.index));
        return this.stranger(vmidOf(change.index), change.running);
      case "stranger": {
        const next = { ...wish, count: wish.count + 1 };
        await this.stranger(wishedNodes(next).at(-1)!.vmid, change.running);
        return change.wanted ? this.wishFor(next) : undefined;
      }
    }
  }

  /** Runs `up` until it ends well, doing each time what the error says. */
  private async settle(): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      const run = await this.up();
      if (run.code === 0) return;
      await this.mend(run);
    }
    throw new Error(`up still fails after ${TRIES} times`);
  }

  private async up(trouble?: Trouble): Promise<PulumiResult> {
    const { lab } = this;
    if (trouble?.trouble === "kill") await this.killed(trouble.after);
    if (trouble?.trouble === "script")
      for (const name of [SERVER.name, ...INDICES.map(workerName)])
        for (const action of ["create", "update", "delete"])
          lab.host.failAt(`${name}-${trouble.name} ${action}`, "a fault of the sequence");
    if (trouble?.trouble === "fault") lab.faults.set(trouble.fault);
    const run = await lab.up(...this.flags);
    lab.host.mend();
    lab.faults.clear();
    this.story.push(`  pulumi up ${this.flags.join(" ")}: ${run.code === 0 ? "ok" : textOf(run)}`);
    this.settled = run.code === 0;
    this.hasFailed = this.settled ? this.hasFailed && !this.drifted : true;
    if (this.settled) this.drifted = false;
    else this.owesRecovery ||= namesRecovery(run);
    this.report([...orderProblems(lab.journal.entries, this.byHand), ...this.strangers.touched()]);
    return run;
  }

  /** An `up` that is killed, unless it ends before; what it had begun goes on to its end. */
  private async killed(after: number): Promise<void> {
    const isKilled = await killUp(this.lab, after, this.flags);
    this.story.push(`  pulumi up, ${isKilled ? "killed, and pulumi cancel" : "ended too early to be killed"}`);
    this.hasFailed ||= isKilled;
    this.owesRecovery ||= isKilled;
  }

  /** @throws Error when the program gives no way on. */
  private async mend(run: PulumiResult): Promise<void> {
    const remedy = remedyFor(run);
    if (!remedy) throw new Error(`up fails, and does not say what to do:\n${textOf(run)}`);
    this.story.push(`  ${JSON.stringify(remedy)}`);
    switch (remedy.kind) {
      case "give way":
        return this.retire(INDICES.find((index) => vmidOf(index) === remedy.vmid) ?? 0, true);
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

  private wishFor(wish: Wish): void {
    this.wish = wish;
    this.lab.edit(({ pools }) => {
      pools.worker.count = wish.count;
      pools.worker.retired = wish.retired;
      pools.worker.cores = wish.cores;
      pools.worker.labels = wish.tier === "" ? {} : { tier: wish.tier };
    });
  }

  private retire(index: number, out: boolean): void {
    const others = this.wish.retired.filter((each) => each !== index);
    this.wishFor({ ...this.wish, retired: out ? [...others, index] : others });
  }

  private async stop(index: number): Promise<void> {
    const vmid = index === 0 ? SERVER.vmid : vmidOf(index);
    if (!this.isOurs(vmid) || !this.lab.machines.isRunning(vmid)) return;
    await this.lab.machines.stop(vmid);
    this.drifted = true;
  }

  /** Where the VMID is free. */
  private async stranger(vmid: number, running: boolean): Promise<void> {
    if (!fs.existsSync(this.lab.host.confFile(vmid))) await this.strangers.make(vmid, running);
  }

  /** `pct destroy --force`. */
  private async remove(vmid: number): Promise<void> {
    const before = this.lab.journal.entries.length;
    await this.lab.host.destroy(vmid);
    for (const entry of this.lab.journal.entries.slice(before)) this.byHand.add(entry);
    this.drifted = true;
  }

  /**
   * A node that is still wanted goes first, so that it leaves; then `pulumi state delete` of its guest, or of the guard's
   * step where a refresh has dropped the guest.
   */
  private async forget(node: string): Promise<void> {
    if (wishedNodes(this.wish).some(({ name }) => name === node))
      return this.retire(INDICES.find((index) => workerName(index) === node) ?? 0, true);
    const state = await this.lab.state();
    const guest = state.find(({ name, type }) => name === node && type.startsWith("proxmoxve:"));
    const { urn } = guest ?? state.find(({ name }) => name === `${node}-guard`)!;
    const { code, stderr } = await this.lab.pulumi("state", "delete", urn, "--target-dependents", "--yes");
    if (code !== 0) throw new Error(`pulumi state delete: ${stderr}`);
  }

  private async recover(): Promise<void> {
    this.owesRecovery = false;
    this.story.push("  npm run cluster -- recover");
    const before = this.lab.journal.entries.length;
    try {
      await recover(this.lab);
    } finally {
      for (const entry of this.lab.journal.entries.slice(before)) this.byHand.add(entry);
    }
  }

  private isOurs(vmid: number): boolean {
    return this.lab.machines.guests.has(vmid) && !this.strangers.has(vmid);
  }

  private report(problems: readonly string[]): void {
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }
}
