import * as fs from "node:fs";
import * as path from "node:path";
import { failure } from "../errors";
import { readText, writeFileAtomically } from "../files";
import { configDigest, parseGuestConfig, printGuestConfig, type GuestConfigFile } from "../guestConfig";
import { draftOf, type Draft } from "./draft";
import { holdLockFile } from "./lockFile";

/** How long PVE waits for another task that holds a guest's lock. */
const lockSeconds = 10;

/** A guest's configuration as it stands on disk. */
export interface StoredGuest {
  readonly file: GuestConfigFile;
  readonly digest: string;
}

/**
 * The files `/etc/pve/nodes/<node>/lxc/<vmid>.conf`. They are the truth and are read again each time: people and programs
 * edit them by hand.
 */
export class GuestStore {
  private readonly dir: string;
  private readonly locks = new Map<number, Promise<void>>();

  constructor(
    etcPve: string,
    private readonly node: string,
    private readonly lockTimeoutMs = lockSeconds * 1000,
    /** `/run/lock/lxc` on a host with other programs; without it only this process knows its locks. */
    private readonly lockDir?: string,
  ) {
    this.dir = path.join(etcPve, "nodes", node, "lxc");
    fs.mkdirSync(this.dir, { recursive: true });
  }

  /** VMIDs in ascending order. */
  list(): number[] {
    return fs
      .readdirSync(this.dir)
      .map((name) => /^([1-9]\d*)\.conf$/.exec(name)?.[1])
      .filter((vmid) => vmid !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  }

  exists(vmid: number): boolean {
    return fs.existsSync(this.file(vmid));
  }

  /** @throws ApiError 500, the text that tells clients that the guest is gone. */
  load(vmid: number): StoredGuest {
    const text = readText(this.file(vmid));
    if (text === undefined) throw failure(`Configuration file 'nodes/${this.node}/lxc/${vmid}.conf' does not exist`);
    return { file: parseGuestConfig(text), digest: configDigest(text) };
  }

  edit(vmid: number): Draft {
    return draftOf(this.load(vmid).file);
  }

  write(vmid: number, file: GuestConfigFile): void {
    writeFileAtomically(this.file(vmid), printGuestConfig(file), 0o640);
  }

  remove(vmid: number): void {
    fs.rmSync(this.file(vmid));
  }

  /** @throws ApiError 500 when the VMID is in use. */
  assertUnused(vmid: number): void {
    if (this.exists(vmid)) throw failure(`CT ${vmid} already exists on node '${this.node}'`);
  }

  /** Runs `work` while no other call holds the guest; gives up after ten seconds, as PVE does. */
  async withLock<T>(vmid: number, work: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + this.lockTimeoutMs;
    for (let holder = this.locks.get(vmid); holder; holder = this.locks.get(vmid)) {
      const waited = await Promise.race([holder.then(() => true), sleep(deadline - Date.now())]);
      if (!waited) throw failure(`can't lock file '/run/lock/lxc/pve-config-${vmid}.lock' - got timeout`);
    }
    let release = () => {};
    this.locks.set(vmid, new Promise((resolve) => (release = resolve)));
    let letGo = () => {};
    try {
      if (this.lockDir !== undefined) letGo = await holdLockFile(this.lockDir, vmid, this.lockTimeoutMs);
      return await work();
    } finally {
      this.locks.delete(vmid);
      letGo();
      release();
    }
  }

  private file(vmid: number): string {
    return path.join(this.dir, `${vmid}.conf`);
  }
}

/** @throws ApiError 500 while an operation owns the guest: `CT is locked (create)`. */
export function assertUnlocked(file: GuestConfigFile): void {
  const lock = file.options.get("lock");
  if (lock) throw failure(`CT is locked (${lock})`);
}

/** @throws ApiError 500 when the guest is protected from removal. */
export function assertUnprotected(file: GuestConfigFile, what: string): void {
  if (file.options.get("protection") === "1") throw failure(`${what} - protection mode enabled`);
}

function sleep(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds), false).unref());
}
