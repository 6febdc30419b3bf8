import { STATUS_CODES } from "node:http";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { MachineDriver, TaskLog } from "../driver";
import { ApiError, failure, WorkerKilled } from "../errors";
import { readText, writeFileAtomically } from "../files";
import { parseGuestConfig, printGuestConfig, type GuestConfigFile } from "../guestConfig";
import { guestKinds, type GuestKind } from "../guests/kinds";
import type { Incoming, RequestHook } from "../http/exchange";
import type { StorageHook } from "../storage/storageStore";
import type { TaskHook } from "../tasks";
import { decodeUpid } from "../upid";
import { checkFault, secondsOf, type Fault, type FaultKind, type FaultSpec } from "./fault";
import { FaultStore, isSpent } from "./faultStore";
import { faultyDriver } from "./faultyDriver";

export interface FaultsOptions {
  /** Folder of the node in `/etc/pve`, below which the guests' files are. */
  readonly nodeDir: string;
  /** Receives a line each time that a fault happens, with its number. */
  readonly log?: (line: string) => void;
}

/** A request, a task or a disk that a fault may affect. */
interface Occasion {
  readonly method?: string;
  readonly path?: string;
  readonly task?: string;
  /** The guests that it concerns: for a clone, the source and the clone. */
  readonly guests?: readonly number[];
  readonly storage?: string;
}

/**
 * The faults of one Proxmox node, and the hooks that apply them. The faults are files that are read again each time, so
 * one process sets them, another applies them, and they remain after both end.
 */
export class Faults {
  private readonly store: FaultStore;

  constructor(
    folder: string,
    private readonly options: FaultsOptions,
  ) {
    this.store = new FaultStore(folder);
  }

  list(): Fault[] {
    return this.store.list();
  }

  /** @throws Error that lists every mistake in the fault. */
  set(asked: FaultSpec): Fault {
    const fault = this.store.add(checkFault(asked));
    this.holdLocks();
    return this.store.list().find(({ id }) => id === fault.id) ?? fault;
  }

  /** Clears one fault, or all, and removes its lock from the guest. @throws Error if there is no such fault. */
  clear(id?: number): void {
    const all = this.store.list();
    const wanted = all.filter((fault) => id === undefined || fault.id === id);
    if (id !== undefined && wanted.length === 0)
      throw new Error(`there is no fault ${id}; set are: ${all.map((fault) => fault.id).join(", ") || "none"}`);
    for (const fault of wanted) {
      this.store.remove(fault.id);
      if (fault.kind === "lock" && fault.struck > 0) this.unlock(fault);
    }
  }

  /** The first fault of a kind that matches the occasion; records that it happened. */
  strike(kind: FaultKind, what: string, occasion: Occasion = {}): Fault | undefined {
    for (const fault of this.armed(kind, occasion)) {
      const struck = this.store.strike(fault.id, what);
      if (!struck) continue;
      this.options.log?.(`fault ${fault.id} (${kind}) struck: ${what}`);
      return struck;
    }
    return undefined;
  }

  /** Faults of a kind that would happen now. */
  armed(kind: FaultKind, occasion: Occasion = {}): Fault[] {
    return this.store.list().filter((fault) => fault.kind === kind && !isSpent(fault) && isMeant(fault, occasion));
  }

  readonly onRequest: RequestHook = async (request) => {
    this.holdLocks();
    const { method, path: target } = request;
    const occasion = { method, path: target, guests: guestsOf(request) };
    const strike = (kind: FaultKind) => this.strike(kind, `${method} ${target}`, occasion);
    const slow = strike("slow");
    if (slow) await sleep(secondsOf(slow) * 1000);
    const error = strike("error");
    if (error) {
      const { status = 500, text = STATUS_CODES[status] ?? "failed" } = error;
      throw new ApiError(status, text);
    }
    if (strike("drop")) return "drop";
    return strike("drop-answer") && "drop-answer";
  };

  /** Tasks that make a guest get their fault later, during their work: see {@link faultyDriver}. */
  readonly onTask: TaskHook = async ({ type, id }, log) => {
    if (["vzcreate", "qmcreate", "qmclone"].includes(type)) return;
    await this.strikeTask(type, [Number(id)], log);
  };

  readonly storage: StorageHook = {
    isFull: (storage) => this.armed("storage-full", { storage }).length > 0,
    strikeFull: (storage, what) => this.strike("storage-full", what, { storage }) !== undefined,
  };

  driver<Driver extends MachineDriver>(inner: Driver): Driver {
    return faultyDriver(inner, this);
  }

  /** @throws the error that ends the task. */
  async strikeTask(task: string, guests: readonly number[], log: TaskLog): Promise<void> {
    const strike = (kind: FaultKind) => this.strike(kind, `task ${task} ${guests.join(" ")}`, { task, guests });
    const slow = strike("task-slow");
    if (slow) await waitFor(secondsOf(slow), log);
    const failed = strike("task-fail");
    if (failed) throw failure(failed.text ?? `fault ${failed.id} of the lab`);
    if (strike("task-lost")) throw new WorkerKilled();
  }

  /** Locks the guests of `lock` faults that exist and have no lock: a guest may be made after its fault. */
  private holdLocks(): void {
    for (const fault of this.store.list().filter(({ kind }) => kind === "lock")) {
      const found = this.read(fault.guest!);
      if (isSpent(fault) || !found || found.file.options.has("lock")) continue;
      const struck = this.strike("lock", `guest ${fault.guest}`, { guests: [fault.guest!] });
      if (struck) this.write(found, new Map([...found.file.options, ["lock", lockName(struck)]]));
    }
  }

  private unlock(fault: Fault): void {
    const found = this.read(fault.guest!);
    if (found?.file.options.get("lock") !== lockName(fault)) return;
    this.write(found, new Map([...found.file.options].filter(([key]) => key !== "lock")));
  }

  private read(vmid: number): FoundGuest | undefined {
    for (const kind of guestKinds) {
      const at = path.join(this.options.nodeDir, kind.folder, `${vmid}.conf`);
      const text = readText(at);
      if (text !== undefined) return { at, kind, file: parseGuestConfig(text, () => {}, kind.syntax) };
    }
    return undefined;
  }

  private write({ at, kind, file }: FoundGuest, options: ReadonlyMap<string, string>): void {
    writeFileAtomically(at, printGuestConfig({ ...file, options }, kind.syntax), 0o640);
  }
}

interface FoundGuest {
  readonly at: string;
  readonly kind: GuestKind;
  readonly file: GuestConfigFile;
}

/** Whether an occasion matches every limit of a fault. */
function isMeant(fault: Fault, { method, path: target, task, guests = [], storage }: Occasion): boolean {
  if (fault.method !== undefined && fault.method !== method) return false;
  if (fault.path !== undefined && !new RegExp(fault.path).test(target ?? "")) return false;
  if (fault.task !== undefined && fault.task !== task) return false;
  if (fault.storage !== undefined && fault.storage !== storage) return false;
  return fault.guest === undefined || guests.includes(fault.guest);
}

/** The guests that a request concerns: by its path, by the task in the path, or by the VMIDs in its parameters. */
function guestsOf({ path: target, params }: Incoming): number[] {
  const [, inPath] = /^\/nodes\/[^/]+\/(?:lxc|qemu)\/(\d+)(?:\/|$)/.exec(target) ?? [];
  const [, task] = /^\/nodes\/[^/]+\/tasks\/([^/]+)/.exec(target) ?? [];
  const vmid = inPath ?? (task && decodeUpid(decodeURIComponent(task))?.id) ?? params?.["vmid"];
  return [vmid, params?.["newid"]].filter((id) => /^\d+$/.test(String(id))).map(Number);
}

function lockName({ text }: FaultSpec): string {
  return text ?? "backup";
}

/** An interrupted worker ends at its next line of log, so this writes one now and then. */
async function waitFor(seconds: number, log: TaskLog): Promise<void> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    await sleep(Math.min(1000, end - Date.now()));
    log("waiting");
  }
}
