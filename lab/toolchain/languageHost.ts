import * as fs from "node:fs";
import * as path from "node:path";
import * as ts from "typescript";

/** Source of our own language host. */
const source = path.join(__dirname, "nodejs", "languageHost.ts");

/** The oldest major version of Node.js that `@pulumi/pulumi` runs on. */
const oldestNode = 22;

/** Everything that {@link writeLanguageHost} depends on, for a cache key. */
export function languageHostKey(cli: string): string[] {
  return [cli, programNode(), fs.readFileSync(source, "utf8"), fs.readFileSync(__filename, "utf8")];
}

/**
 * Writes `pulumi-language-nodejs` into `dir`: a launcher of the release where the CLI's folder has it, else of our own
 * (nodejs/languageHost.ts). Either way programs run on {@link programNode}, whatever the machine's own Node.js is.
 */
export function writeLanguageHost(dir: string, cli: string): void {
  const released = path.join(cli, "pulumi-language-nodejs");
  const launch = fs.existsSync(released)
    ? // The release looks for node on PATH.
      `PATH=${quote(path.dirname(programNode()))}:$PATH exec ${quote(released)} "$@"`
    : `exec ${quote(programNode())} "$(dirname "$(readlink -f "$0")")/languageHost.js" "$@"`;
  if (!fs.existsSync(released)) fs.writeFileSync(path.join(dir, "languageHost.js"), compile());
  fs.rmSync(path.join(dir, "pulumi-language-nodejs"), { force: true });
  // exec, so that the engine's child is the host itself: it holds the engine's pipe and gets the engine's signals.
  fs.writeFileSync(path.join(dir, "pulumi-language-nodejs"), `#!/bin/sh\n${launch}\n`, { mode: 0o755 });
}

/** The Node.js for programs: the one that runs this where it is new enough for Pulumi's SDK, else the project's own. */
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
