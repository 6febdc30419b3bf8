import * as fs from "node:fs";
import * as path from "node:path";
import { failure } from "../errors";
import { readText, writeFileAtomically } from "../files";
import { configDigest, parseGuestConfig, printGuestConfig, type GuestConfigFile } from "../guestConfig";
import { draftOf, type Draft } from "./draft";
import { guestKinds, type GuestKind } from "./kinds";
import { holdLockFile } from "./lockFile";

/** How long PVE waits for another task that holds a guest's lock. */
const lockSeconds = 10;

/** A guest's configuration as it is on disk. */
export interface StoredGuest {
  readonly file: GuestConfigFile;
  readonly digest: string;
}

/**
 * The files of one kind of guests, `/etc/pve/nodes/<node>/lxc/<vmid>.conf` or `…/qemu-server/<vmid>.conf`. They are read
 * again each time, because people and programs edit them.
 */
export class GuestStore {
  private readonly dir: string;
  private readonly locks = new Map<number, Promise<void>>();

  constructor(
    private readonly etcPve: string,
    private readonly node: string,
    readonly kind: GuestKind,
    private readonly lockTimeoutMs = lockSeconds * 1000,
    /** `/run/lock` on a host with other programs; by default only this process sees its locks. */
    private readonly lockDir?: string,
  ) {
    this.dir = this.folder(kind);
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
    if (text === undefined)
      throw failure(`Configuration file 'nodes/${this.node}/${this.kind.folder}/${vmid}.conf' does not exist`);
    return { file: parseGuestConfig(text, () => {}, this.kind.syntax), digest: configDigest(text) };
  }

  edit(vmid: number): Draft {
    return draftOf(this.load(vmid).file);
  }

  write(vmid: number, file: GuestConfigFile): void {
    writeFileAtomically(this.file(vmid), printGuestConfig(file, this.kind.syntax), 0o640);
  }

  remove(vmid: number): void {
    fs.rmSync(this.file(vmid));
  }

  /** @throws ApiError 500 if the VMID is in use by a guest of either kind. */
  assertUnused(vmid: number): void {
    const holder = guestKinds.find((kind) => fs.existsSync(path.join(this.folder(kind), `${vmid}.conf`)));
    if (holder) throw failure(`${holder.label} ${vmid} already exists on node '${this.node}'`);
  }

  /** @throws ApiError 500 while an operation owns the guest: `CT is locked (create)`. */
  assertUnlocked(file: GuestConfigFile): void {
    const lock = file.options.get("lock");
    if (lock) throw failure(`${this.kind.label} is locked (${lock})`);
  }

  /** Runs `work` while no other call holds the guest; gives up after ten seconds, as PVE does. */
  async withLock<T>(vmid: number, work: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + this.lockTimeoutMs;
    for (let holder = this.locks.get(vmid); holder; holder = this.locks.get(vmid)) {
      const waited = await Promise.race([holder.then(() => true), sleep(deadline - Date.now())]);
      if (!waited) throw failure(`can't lock file '${this.kind.lockFile(vmid)}' - got timeout`);
    }
    let release = () => {};
    this.locks.set(vmid, new Promise((resolve) => (release = resolve)));
    let letGo = () => {};
    try {
      if (this.lockDir !== undefined) letGo = await holdLockFile(this.lockPath(vmid), this.lockTimeoutMs);
      return await work();
    } finally {
      this.locks.delete(vmid);
      letGo();
      release();
    }
  }

  private lockPath(vmid: number): string {
    return path.join(this.lockDir!, this.kind.lockFile(vmid).replace(/^(\/run|\/var)\/lock\//, ""));
  }

  private folder(kind: GuestKind): string {
    return path.join(this.etcPve, "nodes", this.node, kind.folder);
  }

  private file(vmid: number): string {
    return path.join(this.dir, `${vmid}.conf`);
  }
}

function sleep(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds), false).unref());
}
