import * as fs from "node:fs";
import * as path from "node:path";
import * as ts from "typescript";

/** Source of our own language host. */
const source = path.join(__dirname, "nodejs", "languageHost.ts");

/** The oldest major version of Node.js that `@pulumi/pulumi` runs on. */
const oldestNode = 22;

/**
 * What the engine starts for programs in Node.js, which a release of the CLI has in its folder and a build from Go
 * modules lacks: the name of each file, and our own lines for it, in which `$here` is the folder of the file.
 */
const parts: Readonly<Record<string, string>> = {
  "pulumi-language-nodejs": 'exec node "$here/languageHost.js" "$@"',
  // Dynamic providers are run by the SDK of the program, in whose folder the engine starts this.
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
 * into `dir`: launchers of the release's if the CLI's folder has them, else of our own language host
 * (nodejs/languageHost.ts) and of the SDK's dynamic providers. All of them run on {@link programNode}, whatever the
 * machine's own Node.js is.
 */
export function writeNodejsParts(dir: string, cli: string): void {
  for (const [name, own] of Object.entries(parts)) {
    const released = path.join(cli, name);
    writeLauncher(path.join(dir, name), fs.existsSync(released) ? `exec ${quote(released)} "$@"` : own);
  }
  fs.writeFileSync(path.join(dir, "languageHost.js"), compile());
}

/** Its lines use exec, so that the engine's child is the part itself: it holds the engine's pipe and gets its signals. */
function writeLauncher(file: string, lines: string): void {
  // Not written into: it may be a link to the release's own file.
  fs.rmSync(file, { force: true });
  const here = 'here=$(dirname "$(readlink -f "$0")")';
  const onPath = `PATH=${quote(path.dirname(programNode()))}:$PATH`;
  fs.writeFileSync(file, `#!/bin/sh\n${here}\n${onPath}\n${lines}\n`, { mode: 0o755 });
}

/** The Node.js for programs: the one that runs this if it is new enough for Pulumi's SDK, else the project's own. */
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
