import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

/** Files on which the result for every file depends. */
const FOR_ALL = [
  ...["eslint.config.mjs", "tsconfig.json", "package-lock.json"],
  ...["addons/tsconfig.json", "addons/package-lock.json"],
];

/**
 * Lints the files that have changed since they last passed. The rules use types, so the result for a file depends on everything
 * that it imports, directly or not. ESLint's own cache compares only the file: it would miss a function that became asynchronous
 * elsewhere.
 * @param lint lints the files that it gets; its `code` says whether they pass
 */
export async function lintChanged<T extends { readonly code: number }>(
  root: string,
  kept: string,
  lint: (files: readonly string[]) => Promise<T>,
): Promise<T | undefined> {
  const passed = new Set(fs.existsSync(kept) ? (JSON.parse(fs.readFileSync(kept, "utf8")) as string[]) : []);
  const keys = lintKeys(root);
  const changed = [...keys].filter(([, key]) => !passed.has(key)).map(([file]) => file);
  if (changed.length === 0) return undefined;
  const result = await lint(changed);
  if (result.code === 0) {
    fs.mkdirSync(path.dirname(kept), { recursive: true });
    fs.writeFileSync(kept, JSON.stringify([...keys.values()]));
  }
  return result;
}

/** For each TypeScript file, a checksum of everything on which its result depends. */
export function lintKeys(root: string): Map<string, string> {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.ts"], {
    cwd: root,
    encoding: "utf8",
  });
  const files = listed.split("\n").filter((file) => file && fs.existsSync(path.join(root, file)));
  const texts = new Map<string, string>();
  const text = (file: string): string => {
    if (!texts.has(file)) texts.set(file, fs.readFileSync(path.join(root, file), "utf8"));
    return texts.get(file)!;
  };
  // A declaration file applies to every file, without an import.
  const forAll = [...FOR_ALL, ...files.filter((file) => file.endsWith(".d.ts"))];
  const imports = new Map(files.map((file) => [file, importsOf(root, file, text(file))]));
  const reach = (file: string, found: Set<string>): Set<string> => {
    if (!found.has(file)) for (const next of (found.add(file), imports.get(file) ?? [])) reach(next, found);
    return found;
  };
  const sum = (file: string): string => {
    const hash = createHash("sha256").update(file);
    for (const each of [...forAll, ...[...reach(file, new Set())].sort()]) hash.update(`\0${each}\0${text(each)}`);
    return hash.digest("hex");
  };
  return new Map(files.map((file) => [file, sum(file)]));
}

/** Files of the repository that a text imports, by any form of import. */
function importsOf(root: string, file: string, text: string): string[] {
  return [...text.matchAll(/(?:from|import|require)\s*\(?\s*"(\.[^"]*)"/g)].flatMap(([, name = ""]) => {
    const base = path.join(path.dirname(file), name);
    const candidates = [base, `${base}.ts`, `${base}.json`, path.join(base, "index.ts")];
    const found = candidates.find((each) => fs.statSync(path.join(root, each), { throwIfNoEntry: false })?.isFile());
    return found ? [found] : [];
  });
}
