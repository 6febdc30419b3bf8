import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { failure, parameterError } from "../errors";
import type { GuestStore } from "../guests/guestStore";
import { storageOf } from "../guests/volumes";

/** A storage of the node. */
export interface StorageOptions {
  /** `dir` holds files, `lvmthin` only disks. The others are listed as on a host, but hold no disk here. */
  readonly type: "dir" | "lvmthin" | "lvm" | "zfspool";
  /** Content types that it may hold: `vztmpl`, `iso`, `import`, `snippets`, `rootdir`, `images`. */
  readonly content: readonly string[];
  /** Folder of a `dir` storage, laid out as PVE does (`template/cache`, `template/iso`, `snippets`). */
  readonly path?: string;
  /** Container templates in other folders: file name in the volume ID → path on this machine. */
  readonly templates?: Readonly<Record<string, string>>;
  /** Default 100 GiB. For a `dir` storage the file system's own size counts. */
  readonly totalBytes?: number;
  /** Whether the node reaches it; default true. */
  readonly active?: boolean;
}

export type Storages = Readonly<Record<string, StorageOptions>>;

/** One entry of a storage's content. */
export interface Volume {
  volid: string;
  content: string;
  format: string;
  size: number;
  /** Seconds since the epoch. */
  ctime?: number;
  /** The guest that owns a disk. */
  vmid?: number;
}

const folders: Readonly<Record<string, string>> = {
  vztmpl: path.join("template", "cache"),
  iso: path.join("template", "iso"),
  snippets: "snippets",
  import: "import",
};

/** Which files of a folder are content, by type. */
const filePatterns: Readonly<Record<string, RegExp>> = {
  vztmpl: /\.tar(\.(gz|xz|zst|bz2))?$/i,
  iso: /\.(iso|img)$/i,
  snippets: /./,
  import: /^[a-zA-Z0-9\-.+=_]+\.(ova|qcow2|raw|vmdk)$/,
};

/** Makes a storage full for a test. */
export interface StorageHook {
  isFull(storage: string): boolean;
  /** Whether a volume is refused for lack of space; `what` names it. */
  strikeFull(storage: string, what: string): boolean;
}

/** The storages of the node. Disks are read from the guests' configurations, files from the folder. */
export class StorageStore {
  constructor(
    private readonly read: () => Storages,
    private readonly guests: readonly GuestStore[],
    private readonly hook?: StorageHook,
  ) {}

  private get storages(): Storages {
    return this.read();
  }

  names(): string[] {
    return Object.keys(this.storages).sort();
  }

  /** @throws ApiError 500 if there is no such storage. */
  get(name: string): StorageOptions {
    const storage = this.storages[name];
    if (!storage) throw failure(`storage '${name}' does not exist`);
    return storage;
  }

  has(name: string): boolean {
    return name in this.storages;
  }

  /** SHA-1 of the configuration of all storages; PVE returns that of `storage.cfg`. */
  digest(): string {
    return createHash("sha1").update(JSON.stringify(this.storages)).digest("hex");
  }

  /** The volume ID of a guest's disk. */
  diskName(name: string, vmid: number, number: number, format = "raw"): string {
    return this.volumeName(name, vmid, `vm-${vmid}-disk-${number}`, format);
  }

  /** The volume ID of something that belongs to a guest, `vm-101-cloudinit`; only files have a format in their names. */
  volumeName(name: string, vmid: number, volume: string, format: string): string {
    return this.get(name).type === "dir" ? `${name}:${vmid}/${volume}.${format}` : `${name}:${volume}`;
  }

  /**
   * Takes the space of a new disk.
   *
   * @throws ApiError 500 if there is no space; for a thin pool with the message of `lvcreate`.
   */
  allocate(volid: string): void {
    const storage = storageOf(volid);
    const { type } = this.get(storage);
    if (type === "lvm" || type === "zfspool") throw failure(`this double keeps no disks on a storage of type ${type}`);
    if (!this.hook?.strikeFull(storage, volid)) return;
    const name = volid.slice(storage.length + 1);
    if (type === "dir") throw failure(`unable to create image: No space left on device`);
    throw failure(
      `lvcreate 'pve/${name}' error:   Cannot create new thin volume, free space in thin pool pve/data reached threshold.`,
    );
  }

  /** The content type of a volume ID, and the guest that owns it. */
  describe(volid: string): { content: string; vmid?: number } {
    const storage = storageOf(volid);
    const name = volid.slice(storage.length + 1);
    const isDir = this.get(storage).type === "dir";
    const [, kind, file] = /^(vztmpl|iso|snippets|import)\/([^/]+)$/.exec(name) ?? [];
    if (isDir && kind && file) return { content: kind };
    // A linked clone on files is named after its base: `9000/base-9000-disk-0.qcow2/101/vm-101-disk-0.qcow2`.
    const owner = (isDir ? /^(?:\d+\/base-[^/]+\/)?(\d+)\/[^/\s]+$/ : /^(?:vm|base)-(\d+)-\S+$/).exec(name)?.[1];
    if (owner) return { content: "images", vmid: Number(owner) };
    throw failure(`unable to parse ${isDir ? "directory" : "lvm"} volume name '${name}'`);
  }

  /** Path of a file by its volume ID, even if it does not exist. */
  filePath(volid: string): string {
    const storage = storageOf(volid);
    const { path: folder, templates = {} } = this.get(storage);
    const [kind = "", file = ""] = volid.slice(storage.length + 1).split("/");
    const subfolder = folders[kind];
    if (kind === "vztmpl" && templates[file]) return templates[file];
    if (!folder || !subfolder) throw failure(`can't find file '${volid}'`);
    return path.join(folder, subfolder, path.basename(file));
  }

  /** Files first, then the disks of the guests. */
  content(name: string): Volume[] {
    return [...this.files(name), ...this.disks(name)];
  }

  /** Bytes of the storage. On a storage of disks, the full size of each disk is used. */
  usage(name: string): { total: number; used: number; avail: number } {
    const usage = this.measure(name);
    return this.hook?.isFull(name) ? { total: usage.total, used: usage.total, avail: 0 } : usage;
  }

  private measure(name: string): { total: number; used: number; avail: number } {
    const { type, path: folder, totalBytes = 100 * 1024 ** 3, active = true } = this.get(name);
    if (!active) return { total: 0, used: 0, avail: 0 };
    if (type === "dir" && folder && fs.existsSync(folder)) {
      const { bsize, blocks, bfree, bavail } = fs.statfsSync(folder);
      return { total: blocks * bsize, used: (blocks - bfree) * bsize, avail: bavail * bsize };
    }
    const used = Math.min(
      totalBytes,
      this.disks(name).reduce((sum, disk) => sum + disk.size, 0),
    );
    return { total: totalBytes, used, avail: totalBytes - used };
  }

  private files(name: string): Volume[] {
    const { path: folder, templates = {}, content } = this.get(name);
    const found = new Map<string, string>();
    for (const kind of content) {
      const dir = folder && folders[kind] ? path.join(folder, folders[kind]) : undefined;
      if (!dir || !fs.existsSync(dir)) continue;
      for (const file of fs.readdirSync(dir).filter((name) => filePatterns[kind]?.test(name)))
        found.set(`${kind}/${file}`, path.join(dir, file));
    }
    for (const [file, location] of Object.entries(templates)) found.set(`vztmpl/${file}`, location);
    return [...found]
      .filter(([, location]) => fs.existsSync(location))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([volume, location]) => {
        const { size, ctimeMs } = fs.statSync(location);
        const [kind = ""] = volume.split("/");
        return {
          volid: `${name}:${volume}`,
          content: kind,
          format: fileFormat(volume),
          size,
          ctime: Math.floor(ctimeMs / 1000),
        };
      });
  }

  /** If several machines have a volume, it is listed once, for the machine in its name. */
  private disks(name: string): Volume[] {
    const found = new Map<string, Volume>();
    for (const volume of this.disksOfGuests(name)) {
      const { size = 0 } = found.get(volume.volid) ?? {};
      const vmid = this.describe(volume.volid).vmid ?? volume.vmid;
      found.set(volume.volid, { ...volume, size: Math.max(size, volume.size), ...(vmid !== undefined && { vmid }) });
    }
    return [...found.values()];
  }

  private disksOfGuests(name: string): Volume[] {
    return this.guests.flatMap((store) =>
      store.list().flatMap((vmid) =>
        store.kind
          .disks(store.load(vmid).file)
          .filter(({ volid }) => volid.startsWith(`${name}:`))
          .map(({ volid, content, format, bytes }) => ({ volid, content, format, size: bytes, vmid })),
      ),
    );
  }
}

/** `tzst` for a container template, as PVE calls it; else by kind. */
function fileFormat(volume: string): string {
  const compression = /\.tar\.(gz|xz|zst|bz2)$/.exec(volume)?.[1];
  if (compression) return `t${compression}`;
  if (volume.startsWith("import/")) return path.extname(volume).slice(1);
  return volume.startsWith("iso/") ? "iso" : volume.startsWith("snippets/") ? "snippet" : "raw";
}

/** @throws ApiError 400 if a file may not have that name. */
export function assertContentName(content: string, filename: string): void {
  if (filePatterns[content]?.test(filename)) return;
  throw parameterError({
    filename: content === "import" ? "invalid filename or wrong extension" : "wrong file extension",
  });
}
