import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Command } from "commander";

import { ensurePackages, machinePackages } from "../lab/host/packages";
import { withCompileCache } from "./support/compileCache";

/** From fast to real. */
const LEVELS = ["unit", "program", "engine", "lab"] as const;
type Level = (typeof LEVELS)[number];

interface Result {
  readonly passed: number;
  readonly failed: number;
}

const root = path.join(__dirname, "..");
const bin = (name: string): string => path.join(root, "node_modules/.bin", name);

/** The whole output goes to the person; the exit code comes back. */
function stream(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** A check that counts as one test. */
async function check(title: string, command: string, args: readonly string[]): Promise<Result> {
  console.log(`\n== ${title}`);
  const ok = (await stream(command, args)) === 0;
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
}

/** Runs one level and counts its tests; a level that could not run at all counts as one failure. */
async function runLevel(level: Level): Promise<Result> {
  console.log(`\n== tests: ${level}`);
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "jest-")), "result.json");
  try {
    const args = ["--selectProjects", level, "--json", "--outputFile", file, "--verbose"];
    // Suites of these have labs and networks of their own, and wait much of their time.
    if (level === "lab" || level === "engine") args.push("--maxWorkers", "2");
    const code = await stream(bin("jest"), args);
    if (!fs.existsSync(file)) return { passed: 0, failed: 1 };
    const summary = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, number>;
    const failed = (summary["numFailedTests"] ?? 0) + (summary["numRuntimeErrorTestSuites"] ?? 0);
    const skipped = (summary["numPendingTests"] ?? 0) + (summary["numTodoTests"] ?? 0);
    if (skipped > 0) console.log(`${skipped} tests of ${level} were skipped, which counts as failed`);
    const passed = summary["numPassedTests"] ?? 0;
    return { passed, failed: Math.max(failed + skipped, code === 0 && passed > 0 ? 0 : 1) };
  } finally {
    fs.rmSync(path.dirname(file), { recursive: true, force: true });
  }
}

/** The tests' own needs beside the lab's. */
const TEST_PACKAGES = [...machinePackages, { name: "shellcheck", command: "shellcheck" }];

async function main(levels: readonly Level[]): Promise<void> {
  const started = Date.now();
  // What is missing and cannot be installed shows in the tests that need it.
  await ensurePackages(console.log, TEST_PACKAGES).catch((error: Error) => console.error(error.message));
  const results: Result[] = [];
  if (levels.length === LEVELS.length) {
    results.push(await check("types", bin("tsc"), ["--noEmit", "-p", "."]));
    results.push(await check("lint", bin("eslint"), ["."]));
    results.push(await check("format", bin("prettier"), ["--check", "."]));
  }
  for (const level of levels) results.push(await runLevel(level));
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  console.log(
    `\n${levels.join(", ")}: ${Math.round((Date.now() - started) / 1000)} s\n${passed} passed, ${failed} failed`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}

void new Command("test")
  .description("Runs the checks and the tests, from fast to real, and counts them in one closing line.")
  .argument("[levels...]", `some of: ${LEVELS.join(", ")}; all, and the checks, by default`)
  .action(async (names: string[]) => {
    const unknown = names.filter((name) => !LEVELS.includes(name as Level));
    if (unknown.length > 0) throw new Error(`unknown level: ${unknown.join(", ")}`);
    await withCompileCache(() => main(names.length > 0 ? LEVELS.filter((level) => names.includes(level)) : LEVELS));
  })
  .parseAsync();
