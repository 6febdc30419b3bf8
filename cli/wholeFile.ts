import * as fs from "node:fs";

/** Writes a file whole or not at all: beside it first, where a run that was killed may have left one. */
export function writeWhole(file: string, text: string, mode: number): void {
  const fresh = `${file}.new`;
  fs.rmSync(fresh, { force: true });
  fs.writeFileSync(fresh, text, { mode });
  fs.renameSync(fresh, file);
}
