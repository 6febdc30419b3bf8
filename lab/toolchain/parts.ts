import * as fs from "node:fs";
import * as path from "node:path";
import { cached, contentOf, Log } from "../support/cache";
import { run } from "../host/run";
import { goBuild, GoBuild } from "./go";
import { releasedKubernetes } from "./kubernetesRelease";
import { downloadCli, downloadPlugin, vendorAnswers } from "./vendor";
import { cliVersion, PluginName, pluginVersion } from "./versions";

/**
 * Returns the folder of the Pulumi CLI, which holds `pulumi` and, if it is the vendor's, its parts for Node.js. It is built
 * from Pulumi's public Go modules if the vendor's server does not answer.
 */
export async function ensureCli(log: Log): Promise<string> {
  const module = path.join(__dirname, "cli");
  const build = (dir: string): GoBuild => ({
    module,
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    output: path.join(dir, "pulumi"),
    // The Automation API refuses a CLI that does not know its version.
    set: { "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": `v${cliVersion}` },
  });
  const key = [cliVersion, ...contentOf(module), process.arch];
  const fill = async (dir: string) => {
    if (!(await tryVendor(dir, log, () => downloadCli(dir, log)))) await goBuild(build(dir), log);
  };
  return cached(`pulumi-${cliVersion}`, key, fill, log);
}

/** How a plugin is built from Go modules. */
interface PluginSource {
  /** Folder of its go.mod. */
  readonly module: string;
  /** Folder of its package, below that. */
  readonly package: string;
  /** Variables that the linker sets to the version; `main.version` by default. */
  readonly set?: (version: string) => GoBuild["set"];
  /** Writes the files that the plugin reads from its binary's folder. */
  readonly finish?: (binary: string, version: string, log: Log) => Promise<void>;
}

const sources: Readonly<Record<PluginName, PluginSource>> = {
  command: { module: "plugins", package: "command" },
  kubernetes: { module: "kubernetes", package: ".", ...releasedKubernetes },
  proxmoxve: {
    module: "proxmoxve",
    package: ".",
    finish: async (binary) => void (await run(binary, ["schema", "--out", "."], { cwd: path.dirname(binary) })),
  },
  random: { module: "plugins", package: "random" },
};

/** Returns the folder that holds `pulumi-resource-<name>`: the release, or our build if that cannot be downloaded. */
export async function ensurePlugin(name: PluginName, cli: string, log: Log): Promise<string> {
  const version = pluginVersion(name);
  const { set, finish, ...where } = sources[name];
  const module = path.join(__dirname, where.module);
  const source = path.join(module, where.package);
  const key = [name, version, ...contentOf(module, ["go.mod", "go.sum"]), ...contentOf(source), process.arch];
  const fill = async (dir: string) => {
    if (await tryVendor(dir, log, () => downloadPlugin(path.join(cli, "pulumi"), name, dir, log))) return;
    const output = path.join(dir, `pulumi-resource-${name}`);
    const values = set?.(version) ?? { "main.version": version };
    await goBuild({ module, package: `./${where.package}`, output, set: values }, log);
    await finish?.(output, version, log);
  };
  return cached(`resource-${name}-${version}`, key, fill, log);
}

/** True if `download` filled `dir`. If it fails, empties `dir` for the build that follows. */
async function tryVendor(dir: string, log: Log, download: () => Promise<void>): Promise<boolean> {
  if (!(await vendorAnswers())) return false;
  try {
    await download();
    return true;
  } catch (error) {
    log(`download failed (${(error as Error).message.split("\n")[0]}); building instead`);
    fs.rmSync(dir, { recursive: true });
    fs.mkdirSync(dir);
    return false;
  }
}
