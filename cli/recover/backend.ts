import * as fs from "node:fs";
import * as path from "node:path";

import { fileBackend } from "../fileBackend";

/**
 * Removes the empty `.attrs` files that an interrupted run left in a file backend. For each of its files the backend writes a
 * second one with attributes, in place and in two steps. If it is killed in between, that file stays empty and the stack cannot
 * be read (`failed to load checkpoint: EOF`), though its state is complete. The backend works without the file.
 * @param url the backend's URL, as `pulumi whoami` prints it; nothing happens for other backends
 * @returns the removed files
 */
export function repairFileBackend(url: string): string[] {
  const root = fileBackend(url);
  if (root === undefined) return [];
  const files = fs.readdirSync(root, { recursive: true, withFileTypes: true });
  const empty = files
    .filter((entry) => entry.isFile() && entry.name.endsWith(".attrs"))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => fs.statSync(file).size === 0);
  for (const file of empty) fs.rmSync(file);
  return empty;
}
