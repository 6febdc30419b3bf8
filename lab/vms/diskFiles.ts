import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../host/run";
import type { DiskCopy, NewDisk } from "../pve/driver";

/**
 * The volumes of virtual machines as qcow2 files, `<root>/<storage>/<vmid>/<name>`, for any type of storage: like a thin
 * pool, a qcow2 file takes only the space that is written, and has snapshots and clones.
 */
export class DiskFiles {
  constructor(private readonly root: string) {}

  /** Path of a volume's file. */
  file(volid: string): string {
    const [storage = "", volume = ""] = volid.split(/:(.*)/s);
    const name = path.basename(volume);
    const owner = /^(?:vm|base)-(\d+)-/.exec(name)?.[1];
    if (owner === undefined) throw new Error(`the lab keeps no volume '${volid}'`);
    return path.join(this.root, storage, owner, name);
  }

  async create({ volid, bytes, image }: NewDisk): Promise<void> {
    const file = this.newFile(volid);
    if (image === undefined) await qemuImg("create", "-f", "qcow2", file, String(bytes));
    else {
      await qemuImg("convert", "-O", "qcow2", image, file);
      await this.grow(volid, bytes);
    }
  }

  async copy({ from, to, linked }: DiskCopy): Promise<void> {
    const source = this.file(from);
    const file = this.newFile(to);
    if (linked) await qemuImg("create", "-f", "qcow2", "-F", "qcow2", "-b", this.keptBase(source), file);
    else await qemuImg("convert", "-O", "qcow2", source, file);
  }

  rename(from: string, to: string): void {
    fs.renameSync(this.file(from), this.newFile(to));
  }

  /** For a disk that no QEMU has open. */
  async grow(volid: string, bytes: number): Promise<void> {
    const file = this.file(volid);
    if (diskBytes(file) < bytes) await qemuImg("resize", file, String(bytes));
  }

  remove(volid: string): void {
    fs.rmSync(this.file(volid), { force: true });
    this.dropUnusedBases();
  }

  /** Removes all volumes of a machine, also those that its configuration does not name. */
  removeAll(vmid: number): void {
    for (const storage of this.entries(this.root))
      fs.rmSync(path.join(this.root, storage, String(vmid)), { recursive: true, force: true });
    this.dropUnusedBases();
  }

  /** @param action of `qemu-img snapshot`: `-c` creates, `-a` reverts, `-d` removes. */
  async snapshot(action: "-c" | "-a" | "-d", name: string, volid: string): Promise<void> {
    await qemuImg("snapshot", action, name, this.file(volid));
  }

  private newFile(volid: string): string {
    const file = this.file(volid);
    if (fs.existsSync(file)) throw new Error(`disk '${volid}' exists already`);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    return file;
  }

  /**
   * A hard link to a file from which linked clones are made. On a thin pool a clone does not need its template, so the
   * content must stay as long as a clone needs it.
   */
  private keptBase(file: string): string {
    const base = path.join(this.root, bases, `${fs.statSync(file).ino}.qcow2`);
    fs.mkdirSync(path.dirname(base), { recursive: true });
    if (!fs.existsSync(base)) fs.linkSync(file, base);
    return base;
  }

  private dropUnusedBases(): void {
    const folder = path.join(this.root, bases);
    for (;;) {
      const kept = this.entries(folder).map((name) => path.join(folder, name));
      const needed = new Set(this.allFiles().map(backingFile));
      const unused = kept.filter((file) => fs.statSync(file).nlink === 1 && !needed.has(file));
      if (unused.length === 0) return;
      // A base may itself be a linked clone, whose own base then becomes unused, so look again.
      for (const file of unused) fs.rmSync(file);
    }
  }

  private allFiles(): string[] {
    return fs.existsSync(this.root)
      ? fs
          .readdirSync(this.root, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => path.join(entry.parentPath, entry.name))
      : [];
  }

  private entries(folder: string): string[] {
    return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  }
}

const bases = ".bases";

async function qemuImg(command: string, ...args: string[]): Promise<void> {
  await run("qemu-img", [command, "-q", ...args]);
}

/** The first bytes of a file. */
function header(file: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const handle = fs.openSync(file, "r");
  try {
    fs.readSync(handle, bytes, 0, length, 0);
  } finally {
    fs.closeSync(handle);
  }
  return bytes;
}

const isQcow2 = (bytes: Buffer) => bytes.toString("latin1", 0, 4) === "QFI\xfb";

/** Size of the disk in a qcow2 file. */
export function diskBytes(file: string): number {
  return Number(header(file, 32).readBigUInt64BE(24));
}

/** The backing file of a qcow2 file. */
function backingFile(file: string): string | undefined {
  const start = header(file, 4096);
  if (!isQcow2(start)) return undefined;
  const [offset, length] = [Number(start.readBigUInt64BE(8)), start.readUInt32BE(16)];
  return offset === 0 ? undefined : start.toString("utf8", offset, offset + length);
}
