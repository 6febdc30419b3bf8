import * as fs from "node:fs";

/** Writes a file whole or not at all. It first writes another file beside it; a killed run may have left one there. */
export function writeWhole(file: string, text: string, mode: number): void {
  const fresh = `${file}.new`;
  fs.rmSync(fresh, { force: true });
  fs.writeFileSync(fresh, text, { mode });
  fs.renameSync(fresh, file);
}
