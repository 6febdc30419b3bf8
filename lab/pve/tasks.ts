import * as fs from "node:fs";
import * as path from "node:path";
import { messageOf, WorkerKilled } from "./errors";
import { readText } from "./files";
import type { TaskLog } from "./driver";
import { decodeUpid, encodeUpid, type Upid } from "./upid";

/** Work of a task. What it throws becomes the task's exit status. */
export type TaskWork = (log: TaskLog, task: Upid & { upid: string }) => Promise<void>;

/** Runs before a task's work, inside the task: it may wait, log or throw; {@link WorkerKilled} ends it without outcome. */
export type TaskHook = (task: Upid & { upid: string }, log: TaskLog) => Promise<void>;

/** A task that has ended. */
export interface FinishedTask {
  upid: string;
  endtime: number;
  status: string;
}

/**
 * The tasks of the node, stored as in PVE: one log file per task, whose last line is the outcome, and an index of ended
 * tasks. The files remain when the API ends. A task that was running then has no outcome in its log, so its status is
 * `unexpected status`, as after a killed worker.
 */
export class TaskStore {
  private readonly running = new Map<string, RunningTask>();
  private closed = false;
  private nextPid = 1000 + Math.floor(Math.random() * 30_000);

  constructor(
    private readonly dir: string,
    private readonly node: string,
    private readonly hook?: TaskHook,
  ) {
    fs.mkdirSync(dir, { recursive: true });
    this.closeAbandoned();
  }

  /** Starts a task and returns its UPID at once. */
  start(type: string, id: string, user: string, work: TaskWork): string {
    const task = { node: this.node, pid: this.nextPid++, pstart: jiffies(), starttime: now(), type, id, user };
    const upid = encodeUpid(task);
    const file = this.logFile(upid);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, "");
    fs.appendFileSync(this.file("active"), `${upid}\n`);
    const entry: RunningTask = { aborted: false, warnings: 0, done: Promise.resolve() };
    this.running.set(upid, entry);
    const log: TaskLog = (line) => {
      if (entry.aborted || this.closed) throw new Error("received interrupt");
      if (line.startsWith("WARN: ")) entry.warnings += 1;
      fs.appendFileSync(file, `${line}\n`);
    };
    entry.done = this.run(upid, entry, async () => {
      await this.hook?.({ ...task, upid }, log);
      await work(log, { ...task, upid });
    });
    return upid;
  }

  isRunning(upid: string): boolean {
    return this.running.has(upid);
  }

  exists(upid: string): boolean {
    return decodeUpid(upid) !== undefined && fs.existsSync(this.logFile(upid));
  }

  /** Resolves when a running task has ended. */
  async ended(upid: string): Promise<void> {
    await this.running.get(upid)?.done;
  }

  /** Resolves when all tasks that run now have ended. */
  async allEnded(): Promise<void> {
    await Promise.all([...this.running.values()].map((task) => task.done));
  }

  /** Interrupts a task: it ends at its next line of log. */
  abort(upid: string): void {
    const task = this.running.get(upid);
    if (task) task.aborted = true;
  }

  /**
   * Abandons the running tasks, as if the process ended: it writes nothing more about them, and each ends at its next line
   * of log.
   */
  close(): void {
    this.closed = true;
  }

  /** `OK`, `WARNINGS: 2`, or the error. */
  exitStatus(upid: string): string {
    const last = this.lines(upid).at(-1) ?? "";
    const [, warnings, error] = /^TASK (?:OK|(WARNINGS: \d+)|ERROR: (.+))$/.exec(last) ?? [];
    return last === "TASK OK" ? "OK" : (warnings ?? error ?? "unexpected status");
  }

  lines(upid: string): string[] {
    return (readText(this.logFile(upid)) ?? "").split("\n").slice(0, -1);
  }

  /** Running tasks, the latest first. */
  active(): string[] {
    return [...this.running.keys()].reverse();
  }

  /** Ended tasks, the latest first. */
  finished(): FinishedTask[] {
    return (readText(this.file("index")) ?? "")
      .split("\n")
      .filter(Boolean)
      .reverse()
      .map((line) => {
        const [upid = "", endtime = "", ...status] = line.split(" ");
        return { upid, endtime: parseInt(endtime, 16), status: status.join(" ") };
      });
  }

  private async run(upid: string, entry: RunningTask, work: () => Promise<void>): Promise<void> {
    let outcome: string | undefined;
    try {
      await work();
      if (entry.aborted) throw new Error("received interrupt");
      outcome = entry.warnings > 0 ? `TASK WARNINGS: ${entry.warnings}` : "TASK OK";
    } catch (error) {
      if (!(error instanceof WorkerKilled))
        outcome = `TASK ERROR: ${messageOf(error)
          .trim()
          .replace(/\s*\n\s*/g, " ")}`;
    }
    if (this.closed) return;
    if (outcome !== undefined) fs.appendFileSync(this.logFile(upid), `${outcome}\n`);
    this.running.delete(upid);
    this.archive(upid);
  }

  /** Moves a task from the list of active ones to the index. */
  private archive(upid: string): void {
    const endtime = now().toString(16).toUpperCase().padStart(8, "0");
    fs.appendFileSync(this.file("index"), `${upid} ${endtime} ${this.exitStatus(upid)}\n`);
    const active = (readText(this.file("active")) ?? "").split("\n").filter((line) => line && line !== upid);
    fs.writeFileSync(this.file("active"), active.map((line) => `${line}\n`).join(""));
  }

  private closeAbandoned(): void {
    const abandoned = (readText(this.file("active")) ?? "").split("\n").filter(Boolean);
    for (const upid of abandoned) this.archive(upid);
  }

  private logFile(upid: string): string {
    const shard = (decodeUpid(upid)?.starttime ?? 0).toString(16).toUpperCase().slice(-1);
    return path.join(this.dir, shard, upid);
  }

  private file(name: string): string {
    return path.join(this.dir, name);
  }
}

interface RunningTask {
  aborted: boolean;
  warnings: number;
  done: Promise<void>;
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** Time since the machine's boot in hundredths of a second, as in the kernel's start time of a process. */
function jiffies(): number {
  return Math.floor(Number(process.hrtime.bigint() / 10_000_000n));
}
