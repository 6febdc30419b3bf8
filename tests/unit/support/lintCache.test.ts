import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { lintChanged } from "../../support/lintCache";

let root: string;
const write = (file: string, text: string): void => fs.writeFileSync(path.join(root, file), text);
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "lint-"));
  execFileSync("git", ["init", "-q"], { cwd: root });
  fs.mkdirSync(path.join(root, "addons"));
  for (const file of ["eslint.config.mjs", "tsconfig.json", "package-lock.json"]) write(file, "1");
  for (const file of ["addons/tsconfig.json", "addons/package-lock.json"]) write(file, "1");
  write("low.ts", "export const low = 1;");
  write("middle.ts", 'import { low } from "./low";\nexport const middle = low;');
  write("top.ts", 'import type { middle } from "./middle";\nimport data from "./data.json";');
  write("data.json", "1");
  write("alone.ts", "");
});
afterEach(() => fs.rmSync(root, { recursive: true }));

/** The files to lint. */
async function linted(code = 0): Promise<readonly string[]> {
  let seen: readonly string[] = [];
  await lintChanged(root, path.join(root, "kept.json"), async (files) => {
    seen = [...files].sort();
    return { code };
  });
  return seen;
}
const all = ["alone.ts", "low.ts", "middle.ts", "top.ts"];

test("a file that passed is not linted again, one that failed is", async () => {
  expect(await linted(1)).toEqual(all);
  expect(await linted()).toEqual(all);
  expect(await linted()).toEqual([]);
});

test.each([
  ["the file itself", "alone.ts", ["alone.ts"]],
  ["a file imported by a file that it imports", "low.ts", ["low.ts", "middle.ts", "top.ts"]],
  ["data that it imports", "data.json", ["top.ts"]],
  ["a new file", "new.ts", ["new.ts"]],
  ["declarations for all files", "all.d.ts", [...all, "all.d.ts"].sort()],
  ["the rules", "eslint.config.mjs", all],
  ["a package", "package-lock.json", all],
  ["a package of the add-ons", "addons/package-lock.json", all],
])("a change of %s counts", async (_, file, expected) => {
  await linted();
  write(file, "// changed");
  expect(await linted()).toEqual(expected);
});
