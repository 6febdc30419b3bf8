import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { ensurePackages } from "../../lab/host/packages";
import { run } from "../../lab/host/run";
import { cached } from "../../lab/support/cache";

/**
 * Makes a Python virtual environment in the cache. The requirements file pins every package by its hash.
 *
 * @returns path of its `python`
 */
export async function pythonVenv(name: string, requirements: string): Promise<string> {
  // Debian has `ensurepip` in a separate package; without it the environment has no `pip`.
  const hasVenv = () => spawnSync("python3", ["-c", "import ensurepip, venv"], { stdio: "ignore" }).status === 0;
  const log = (line: string) => console.error(line);
  await ensurePackages(log, [{ name: "python3-venv", isThere: hasVenv }]);
  const version = await run("python3", ["--version"]);
  const folder = await cached(
    name,
    [version, fs.readFileSync(requirements, "utf8")],
    async (dir) => {
      await run("python3", ["-m", "venv", dir]);
      const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
      await run(`${dir}/bin/python`, [...install, "--require-hashes", "--only-binary", ":all:", "-r", requirements]);
    },
    log,
  );
  return `${folder}/bin/python`;
}
