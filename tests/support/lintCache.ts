import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

/** What the verdict on every file depends on. */
const FOR_ALL = [
  ...["eslint.config.mjs", "tsconfig.json", "package-lock.json"],
  ...["addons/tsconfig.json", "addons/package-lock.json"],
];

/**
 * Lints what has changed since it last passed. The rules know types, so the verdict on a file depends on all that it imports,
 * directly or not: ESLint's own cache looks at the file alone and would miss a function that became asynchronous elsewhere.
 * @param lint is given the files, and says whether they pass
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

/** By TypeScript file, the sum of all that the verdict on it depends on. */
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
  // Declarations count for every file without an import.
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

/** Files of the repository that a text imports, in whatever form. */
function importsOf(root: string, file: string, text: string): string[] {
  return [...text.matchAll(/(?:from|import|require)\s*\(?\s*"(\.[^"]*)"/g)].flatMap(([, name = ""]) => {
    const base = path.join(path.dirname(file), name);
    const candidates = [base, `${base}.ts`, `${base}.json`, path.join(base, "index.ts")];
    const found = candidates.find((each) => fs.statSync(path.join(root, each), { throwIfNoEntry: false })?.isFile());
    return found ? [found] : [];
  });
}
