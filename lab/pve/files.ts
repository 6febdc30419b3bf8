import { randomBytes } from "node:crypto";
import * as fs from "node:fs";

/** The text of a file; undefined if there is none. */
export function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes a file so that a reader sees the old text or the new one and never a part, as the cluster file system does. */
export function writeFileAtomically(file: string, text: string, mode: number): void {
  const temporary = `${file}.tmp.${process.pid}.${randomBytes(4).toString("hex")}`;
  fs.writeFileSync(temporary, text, { mode, flag: "wx" });
  fs.renameSync(temporary, file);
}
