import * as fs from "node:fs";
import * as path from "node:path";
import * as ts from "typescript";

/** Source of our own language host. */
const source = path.join(__dirname, "nodejs", "languageHost.ts");

/** The oldest major version of Node.js that `@pulumi/pulumi` runs on. */
const oldestNode = 22;

/**
 * What the engine starts for programs in Node.js: a release of the CLI has these files, a build from Go modules lacks them.
 * The name of each file, and our own lines for it, in which `$here` is the folder of the file.
 */
const parts: Readonly<Record<string, string>> = {
  "pulumi-language-nodejs": 'exec node "$here/languageHost.js" "$@"',
  // The program's SDK runs dynamic providers; the engine starts this in the program's folder.
  "pulumi-resource-pulumi-nodejs": [
    `script=$(node -p 'require.resolve("@pulumi/pulumi/cmd/dynamic-provider")') || exit`,
    'exec node "$script" "$@"',
  ].join("\n"),
};

/** Everything that {@link writeNodejsParts} depends on, for a cache key. */
export function nodejsPartsKey(cli: string): string[] {
  return [cli, programNode(), fs.readFileSync(source, "utf8"), fs.readFileSync(__filename, "utf8")];
}

/**
 * Writes the language host `pulumi-language-nodejs` and the plugin for dynamic providers `pulumi-resource-pulumi-nodejs`
 * into `dir`. They start the release's parts if the CLI's folder has them, else our own language host
 * (nodejs/languageHost.ts) and the SDK's dynamic providers. All of them run on {@link programNode}, whatever the machine's
 * own Node.js is.
 */
export function writeNodejsParts(dir: string, cli: string): void {
  for (const [name, own] of Object.entries(parts)) {
    const released = path.join(cli, name);
    writeLauncher(path.join(dir, name), fs.existsSync(released) ? `exec ${quote(released)} "$@"` : own);
  }
  fs.writeFileSync(path.join(dir, "languageHost.js"), compile());
}

/** The lines use exec, so that the engine's child is the program itself: it has the engine's pipe and gets its signals. */
function writeLauncher(file: string, lines: string): void {
  // Removed first, because it may be a link to the release's file.
  fs.rmSync(file, { force: true });
  const here = 'here=$(dirname "$(readlink -f "$0")")';
  const onPath = `PATH=${quote(path.dirname(programNode()))}:$PATH`;
  fs.writeFileSync(file, `#!/bin/sh\n${here}\n${onPath}\n${lines}\n`, { mode: 0o755 });
}

/** The Node.js for programs: the one of this process if it is new enough for Pulumi's SDK, else the project's own. */
export function programNode(): string {
  if (Number(process.versions.node.split(".")[0]) >= oldestNode) return process.execPath;
  return path.join(path.dirname(require.resolve("node/package.json")), "bin", "node");
}

function compile(): string {
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(fs.readFileSync(source, "utf8"), { compilerOptions }).outputText;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
