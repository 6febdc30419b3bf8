import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { awaitPlugins } from "../../../cli/recover/orphans";

/** For which processes `recover` waits: real ones, of a program that only sleeps. */

const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "running-")));
const sleeper = execFileSync("sh", ["-c", 'readlink -f "$(command -v sleep)"'], { encoding: "utf8" }).trim();
const project = { folder, env: { PULUMI_BACKEND_URL: "file:///there" } };
const processes: ChildProcess[] = [];

async function start(program: string, { cwd = folder, backend = "file:///there", seconds = 60 } = {}): Promise<number> {
  const file = path.join(folder, program);
  if (!fs.existsSync(file)) fs.copyFileSync(sleeper, file);
  const child = spawn(file, [String(seconds)], { cwd, env: { PULUMI_BACKEND_URL: backend }, stdio: "ignore" });
  processes.push(child);
  await once(child, "spawn");
  return child.pid!;
}

afterEach(async () => {
  for (const child of processes.splice(0)) {
    if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
  }
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

it("waits for a plugin that exits", async () => {
  await start("pulumi-resource-proxmoxve", { seconds: 1 });
  const began = Date.now();
  await awaitPlugins(project, 20);
  expect(Date.now() - began).toBeGreaterThan(300);
});

it("names a plugin that does not exit", async () => {
  const pid = await start("pulumi-resource-proxmoxve");
  await expect(awaitPlugins(project, 0)).rejects.toThrow(`pulumi-resource-proxmoxve (process ${pid})`);
});

it("does not wait for a running engine", async () => {
  const pid = await start("pulumi");
  await expect(awaitPlugins(project, 60)).rejects.toThrow(`pulumi is running in this project: pulumi (process ${pid})`);
});

it.each([
  ["in another folder", "pulumi-resource-command", { cwd: os.tmpdir() }],
  ["on another backend", "pulumi-resource-command", { backend: "file:///elsewhere" }],
  ["of another kind", "sleeper", {}],
])("ignores a process %s", async (_, program, options) => {
  await start(program, options);
  await awaitPlugins(project, 0);
});
