import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Command } from "commander";

import { ensurePackages, machinePackages } from "../lab/host/packages";
import { ensureAddonsPackages } from "../lab/support/addonsPackages";
import { withCompileCache } from "./support/compileCache";
import { lintChanged } from "./support/lintCache";
import { readApiSource } from "./support/pveFacts";

/** From fast to realistic. */
const LEVELS = ["unit", "scripts", "program", "engine", "lab", "long", "addons", "vms"] as const;
type Level = (typeof LEVELS)[number];

/** Required before each commit: types, lint, format and the unit level. */
const CHECK = "check";
type Part = Level | typeof CHECK;
const PARTS: readonly Part[] = [CHECK, ...LEVELS];
/** The check includes the unit level. */
const ALL: readonly Part[] = [CHECK, "scripts", "program", "engine", "lab"];
/**
 * Too slow for each change: the lab's suites of five minutes and more, the engine's suites that play every fault, the add-ons, whose
 * provider takes minutes to build, and virtual machines with an emulated processor.
 */
const LEFT_OUT: readonly Part[] = ["long", "addons", "vms"];

interface Result {
  readonly passed: number;
  readonly failed: number;
}

const root = path.join(__dirname, "..");
const bin = (name: string): string => path.join(root, "node_modules/.bin", name);

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a command to its end, whatever its exit code. With `isShown` its output is shown at once. */
function run(command: string, args: readonly string[], isShown: boolean): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const stdio = isShown ? "inherit" : "pipe";
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", stdio, stdio] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (data: Buffer) => (output += data.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Runs all checks at the same time. Each counts as one test; the unit level counts with its tests. */
async function check(): Promise<Result> {
  console.log("\n== check: types, lint, format, unit");
  const cache = path.join(root, "node_modules/.cache");
  const reported = async (title: string, work: Promise<{ result: Result; output: string }>): Promise<Result> => {
    const started = Date.now();
    const { result, output } = await work;
    const seconds = Math.round((Date.now() - started) / 1000);
    console.log(`${result.failed === 0 ? "✓" : `✗ ${title} fails:\n${output}\n✗`} ${title} (${seconds} s)`);
    return result;
  };
  const verdict = ({ code, output }: Ended): { result: Result; output: string } => ({
    result: code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 },
    output,
  });
  const tool = async (name: string, ...args: string[]) => verdict(await run(bin(name), args, false));
  const types = (project: string, kept: string) =>
    tool("tsc", "-p", project, "--incremental", "--tsBuildInfoFile", `${cache}/${kept}`);
  const lint = async () => {
    const ended = await lintChanged(root, `${cache}/lint.json`, (files) => run(bin("eslint"), files, false));
    return verdict(ended ?? { code: 0, output: "" });
  };
  return sum(
    await Promise.all([
      reported("lint", lint()),
      reported("unit", jest("unit", false)),
      reported("types", types(".", "tsc.json")),
      reported("types of addons", types("addons", "tscAddons.json")),
      reported("format", tool("prettier", "--check", "--cache", "--cache-location", `${cache}/prettier.json`, ".")),
    ]),
  );
}

/**
 * How many suites of a level run at a time. Those of the engine and the lab have their own labs and networks, and mostly wait; a
 * virtual machine needs whole processors.
 */
const WORKERS: Readonly<Record<Level, string>> = {
  unit: "100%",
  scripts: "100%",
  program: "100%",
  engine: "2",
  lab: "2",
  long: "2",
  addons: "1",
  vms: "1",
};

/** Runs one level and counts its tests. A level that cannot run at all counts as one failure. */
async function jest(level: Level, isShown: boolean): Promise<{ result: Result; output: string }> {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "jest-")), "result.json");
  try {
    const args = ["--selectProjects", level, "--json", "--outputFile", file, ...(isShown ? ["--verbose"] : [])];
    args.push("--maxWorkers", WORKERS[level]);
    const { code, output } = await run(bin("jest"), args, isShown);
    if (!fs.existsSync(file)) return { result: { passed: 0, failed: 1 }, output };
    const summary = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, number>;
    const failed = (summary["numFailedTests"] ?? 0) + (summary["numRuntimeErrorTestSuites"] ?? 0);
    const skipped = (summary["numPendingTests"] ?? 0) + (summary["numTodoTests"] ?? 0);
    if (skipped > 0) console.log(`${skipped} tests of ${level} were skipped, which counts as failed`);
    const passed = summary["numPassedTests"] ?? 0;
    return { result: { passed, failed: Math.max(failed + skipped, code === 0 && passed > 0 ? 0 : 1) }, output };
  } finally {
    fs.rmSync(path.dirname(file), { recursive: true, force: true });
  }
}

async function runPart(part: Part): Promise<Result> {
  if (part === CHECK) return check();
  console.log(`\n== tests: ${part}`);
  return (await jest(part, true)).result;
}

function sum(results: readonly Result[]): Result {
  const total = (key: keyof Result): number => results.reduce((count, result) => count + result[key], 0);
  return { passed: total("passed"), failed: total("failed") };
}

/** Parts without machines and without the engine. */
const QUICK: readonly Part[] = [CHECK, "unit", "scripts", "program"];
/** Packages that these parts need. */
const TOOLS = [
  { name: "shellcheck", command: "shellcheck" },
  { name: "openssh-client", command: "ssh-keygen" },
];

async function main(parts: readonly Part[]): Promise<void> {
  const started = Date.now();
  const packages = parts.every((part) => QUICK.includes(part)) ? TOOLS : [...machinePackages, ...TOOLS];
  // A package that cannot be installed shows in the tests that need it.
  await ensurePackages(console.log, packages).catch((error: Error) => console.error(error.message));
  await ensureAddonsPackages(console.log);
  console.log(`Proxmox VE's API: ${readApiSource().name}`);
  const results: Result[] = [];
  for (const part of parts) results.push(await runPart(part));
  const { passed, failed } = sum(results);
  const seconds = Math.round((Date.now() - started) / 1000);
  const leftOut = LEFT_OUT.filter((part) => !parts.includes(part)).map((part) => `npm test -- ${part}`);
  if (parts === ALL) console.log(`\nleft out: ${[...leftOut, "npm run soak"].join(", ")}`);
  console.log(`\n${parts.join(", ")}: ${seconds} s\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

void new Command("test")
  .description("Runs the check and the tests, from fast to real, and counts them in one closing line.")
  .argument("[parts...]", `some of: ${PARTS.join(", ")}; ${ALL.join(", ")} by default`)
  .action(async (names: string[]) => {
    const unknown = names.filter((name) => !PARTS.includes(name as Part));
    if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(", ")}; there are ${PARTS.join(", ")}`);
    await withCompileCache(() => main(names.length > 0 ? PARTS.filter((part) => names.includes(part)) : ALL));
  })
  .parseAsync();
