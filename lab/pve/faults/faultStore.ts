import * as fs from "node:fs";
import * as path from "node:path";
import { readText, writeFileAtomically } from "../files";
import type { Fault, FaultSpec } from "./fault";

/**
 * The faults of one lab as files, so that the command line and the API's process share them without a lock. A fault is one
 * file `<id>`: its first line has the fault, each further line a time and what the fault affected. Setting a fault creates
 * the file, applying it appends a line, clearing it empties the file, so that no other fault gets its number.
 */
export class FaultStore {
  constructor(private readonly folder: string) {}

  /** By number. */
  list(): Fault[] {
    return this.ids().flatMap((id) => this.read(id) ?? []);
  }

  add(spec: FaultSpec): Fault {
    fs.mkdirSync(this.folder, { recursive: true });
    const draft = path.join(this.folder, `new.${process.pid}`);
    writeFileAtomically(draft, `${JSON.stringify(spec)}\n`, 0o644);
    try {
      for (let id = (this.ids().at(-1) ?? 0) + 1; ; id++) if (link(draft, this.file(id))) return this.read(id)!;
    } finally {
      fs.rmSync(draft);
    }
  }

  remove(id: number): void {
    fs.truncateSync(this.file(id));
  }

  /** Records that a fault happened; undefined if it was cleared meanwhile or has happened as often as it may. */
  strike(id: number, what: string): Fault | undefined {
    const fault = this.read(id);
    if (!fault || isSpent(fault)) return undefined;
    fs.appendFileSync(this.file(id), `${new Date().toISOString()} ${what}\n`);
    return { ...fault, struck: fault.struck + 1 };
  }

  private read(id: number): Fault | undefined {
    const [spec, ...strikes] = (readText(this.file(id)) ?? "").split("\n");
    return spec ? { ...(JSON.parse(spec) as FaultSpec), id, struck: strikes.filter(Boolean).length } : undefined;
  }

  private ids(): number[] {
    if (!fs.existsSync(this.folder)) return [];
    const names = fs.readdirSync(this.folder).filter((name) => /^\d+$/.test(name));
    return names.map(Number).sort((a, b) => a - b);
  }

  private file(id: number): string {
    return path.join(this.folder, String(id));
  }
}

/** Whether a fault has happened as often as it may. */
export function isSpent({ kind, count = kind === "lock" ? 1 : Infinity, struck }: Fault): boolean {
  return struck >= count;
}

/** Gives a file a second name unless that is taken. */
function link(file: string, name: string): boolean {
  try {
    fs.linkSync(file, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
