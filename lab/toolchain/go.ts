import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as semver from "semver";
import { cached, Log } from "../support/cache";
import { hasCommand, run } from "../host/run";

/** The oldest Go that builds the lab's modules: the highest `go` line of their go.mod files. */
export const oldestGo = "1.26.7";

/** The Go that is downloaded if the machine's own is missing or older. */
const broughtGo = "1.26.8";

/** How often a long build logs its progress. */
const progressEveryMs = 20_000;

/**
 * Returns the path of a `go` that can build the lab's modules.
 *
 * It uses the machine's own Go if that is new enough. Any older one can fetch a newer one as a module, checked against
 * Go's checksum database; a Debian machine without Go gets Debian's old one first.
 *
 * @throws Error that says what to install, if none of this is possible.
 */
export async function ensureGo(log: Log): Promise<string> {
  const found = await newestGo();
  if (found && semver.gte(found.version, oldestGo)) return found.binary;
  const fetcher = found ?? (await installDebianGo(log));
  const entry = await cached("go", [broughtGo, platform()], (dir) => fetchGo(fetcher.binary, dir, log), log);
  return path.join(entry, "bin", "go");
}

interface Go {
  binary: string;
  version: string;
}

async function newestGo(): Promise<Go | undefined> {
  const candidates = ["go", "/usr/local/go/bin/go", "/usr/bin/go"];
  const found = await Promise.all(candidates.map(readGo));
  return found.filter((go) => go !== undefined).sort((a, b) => semver.rcompare(a.version, b.version))[0];
}

async function readGo(binary: string): Promise<Go | undefined> {
  // "local": otherwise Go may switch to another version and report that one.
  const env = { ...process.env, GOTOOLCHAIN: "local" };
  const output = await run(binary, ["version"], { env, cwd: os.tmpdir() }).catch(() => "");
  const version = semver.coerce(/go version go(\S+)/.exec(output)?.[1])?.version;
  return version ? { binary, version } : undefined;
}

async function installDebianGo(log: Log): Promise<Go> {
  if (hasCommand("apt-get") && process.getuid?.() === 0) {
    log("installing Debian's golang-go, to fetch a newer Go with it");
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update", "-qq"], { env });
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "golang-go"], { env });
    const go = await newestGo();
    if (go) return go;
  }
  throw new Error(
    `Building the tool chain needs Go ${oldestGo} or newer: install it from https://go.dev/dl and have it on PATH, ` +
      "or install any older Go, which fetches the right one.",
  );
}

function platform(): string {
  return `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;
}

async function fetchGo(go: string, dir: string, log: Log): Promise<void> {
  log(`fetching Go ${broughtGo}`);
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "fetch-go-"));
  try {
    const env = {
      ...process.env,
      GOTOOLCHAIN: "local",
      GOFLAGS: "-modcacherw",
      GOMODCACHE: path.join(scratch, "modules"),
    };
    const wanted = `golang.org/toolchain@v0.0.1-go${broughtGo}.${platform()}`;
    const answer = await run(go, ["mod", "download", "-json", wanted], { env, cwd: scratch });
    fs.cpSync((JSON.parse(answer) as { Dir: string }).Dir, dir, { recursive: true });
    // The module cache stores no execute bits.
    for (const folder of ["bin", "pkg/tool"]) makeExecutable(path.join(dir, folder));
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function makeExecutable(folder: string): void {
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) fs.chmodSync(path.join(entry.parentPath, entry.name), 0o755);
  }
}

/** A person's Go settings must not change a build, except for the source of modules. */
function goEnv(): NodeJS.ProcessEnv {
  return { ...process.env, CGO_ENABLED: "0", GOFLAGS: "", GOROOT: "", GOTOOLCHAIN: "local", GOWORK: "off" };
}

/**
 * Returns the folder of a module's source, for files in it that are no Go code.
 *
 * @param folder of the go.mod that pins it
 */
export async function moduleDir(folder: string, module: string, log: Log): Promise<string> {
  const go = await ensureGo(log);
  const answer = await run(go, ["mod", "download", "-json", module], { cwd: folder, env: goEnv() });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}

/** What to build. */
export interface GoBuild {
  /** Folder of the module's go.mod. */
  module: string;
  /** Package to build, as `go build` takes it. */
  package: string;
  /** File to write. */
  output: string;
  /** Values for string variables: `importpath.name` to value. */
  set?: Readonly<Record<string, string>>;
  /** Build tags. */
  tags?: readonly string[];
}

/**
 * Builds one program: statically (no cgo), without paths of this machine, from exactly the modules that go.sum pins,
 * at low priority.
 *
 * @throws Error with the compiler's last lines.
 */
export async function goBuild(build: GoBuild, log: Log): Promise<void> {
  const go = await ensureGo(log);
  const name = path.basename(build.output);
  const settings = Object.entries(build.set ?? {}).map(([variable, value]) => `-X ${variable}=${value}`);
  const ldflags = ["-s", "-w", ...settings].join(" ");
  const flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-v", "-ldflags", ldflags, "-o", build.output];
  if (build.tags) flags.push("-tags", build.tags.join(","));
  const child = spawn(go, ["build", ...flags, build.package], {
    cwd: build.module,
    stdio: ["ignore", "ignore", "pipe"],
    env: goEnv(),
  });
  const priority = Math.max(os.getPriority(), os.constants.priority.PRIORITY_BELOW_NORMAL);
  if (child.pid) os.setPriority(child.pid, priority);

  let [downloaded, compiled] = [0, 0];
  const lastLines: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n").filter(Boolean)) {
      if (line.startsWith("go: downloading ")) downloaded++;
      else compiled++;
      lastLines.push(line);
      if (lastLines.length > 30) lastLines.shift();
    }
  });
  const progress = () => log(`${name}: ${downloaded} modules fetched, ${compiled} packages compiled`);
  const timer = setInterval(progress, progressEveryMs);
  try {
    const code = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
    if (code !== 0) throw new Error(`go build of ${name} failed:\n${lastLines.join("\n")}`);
  } finally {
    clearInterval(timer);
  }
}
