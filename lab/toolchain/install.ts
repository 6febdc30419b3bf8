import * as fs from "node:fs";
import * as path from "node:path";
import { cacheDir, cached, Log } from "../support/cache";
import { nodejsPartsKey, programNode, writeNodejsParts } from "./nodejsParts";
import { ensureCli, ensurePlugin } from "./parts";
import { addonsPluginNames, cliVersion, PluginName, pluginNames, pluginVersion } from "./versions";

/** The installed tool chain. All folders are in the cache and may be shared by any number of labs and runs. */
export interface Toolchain {
  /**
   * Put it first on PATH: `pulumi`, `pulumi-language-nodejs` and `pulumi-resource-pulumi-nodejs`. Its parent is the
   * `root` that the Automation API's `PulumiCommand.get` takes.
   */
  binDir: string;
  /** Every resource plugin as the engine looks for it: `resource-<name>-v<version>/pulumi-resource-<name>`. */
  pluginsDir: string;
  /** A ready PULUMI_HOME with these plugins. Runs that log in or must stay apart make their own: {@link makePulumiHome}. */
  pulumiHome: string;
}

/**
 * Installs the Pulumi CLI, its parts for Node.js and the resource plugins, all in the versions of package.json: the vendors'
 * releases if their sites answer within seconds, else builds from public Go modules. Each part is cached separately, so
 * that a change rebuilds only that part; with everything in the cache this takes milliseconds.
 *
 * @param withAddons whether to include the plugin of the add-ons' program, which takes minutes to build
 * @throws Error that names the part which could be neither downloaded nor built.
 */
export async function ensureToolchain(log: Log, withAddons = false): Promise<Toolchain> {
  const cli = await ensureCli(log);
  const plugins = new Map<PluginName, string>();
  // One at a time: a Go build keeps all cores busy by itself.
  for (const name of [...pluginNames, ...(withAddons ? addonsPluginNames : [])])
    plugins.set(name, await ensurePlugin(name, cli, log));
  const root = await cached("toolchain", nodejsPartsKey(cli), async (entry) => {
    const dir = path.join(entry, "bin");
    fs.mkdirSync(dir);
    // Hard links: the CLI expects its parts for Node.js in its own folder, and warns if they are elsewhere.
    for (const file of fs.readdirSync(cli)) fs.linkSync(path.join(cli, file), path.join(dir, file));
    writeNodejsParts(dir, cli);
  });
  const binDir = path.join(root, "bin");
  const pluginsDir = await cached("toolchain-plugins", [...plugins.values()], async (dir) => linkPlugins(plugins, dir));
  const pulumiHome = path.join(cacheDir(), withAddons ? "pulumi-home-addons" : "pulumi-home");
  makePulumiHome(pulumiHome, pluginsDir);
  return { binDir, pluginsDir, pulumiHome };
}

/** Makes folders and links files: the engine ignores a plugin whose folder is a link. */
function linkPlugins(plugins: ReadonlyMap<PluginName, string>, dir: string): void {
  for (const [name, entry] of plugins) {
    const folder = path.join(dir, `resource-${name}-v${pluginVersion(name)}`);
    fs.mkdirSync(folder);
    for (const file of fs.readdirSync(entry)) fs.symlinkSync(path.join(entry, file), path.join(folder, file));
  }
}

/** Makes `home` a PULUMI_HOME with the given plugins; its other files stay. */
export function makePulumiHome(home: string, pluginsDir: string): void {
  fs.mkdirSync(home, { recursive: true });
  const link = path.join(home, "plugins");
  const current = fs.lstatSync(link, { throwIfNoEntry: false });
  if (current?.isSymbolicLink() && fs.readlinkSync(link) === pluginsDir) return;
  // Renamed into place, so that a run that starts meanwhile never finds it missing.
  const fresh = `${link}.${process.pid}`;
  fs.rmSync(fresh, { force: true });
  fs.symlinkSync(pluginsDir, fresh);
  if (current && !current.isSymbolicLink()) fs.rmSync(link, { recursive: true });
  fs.renameSync(fresh, link);
}

/**
 * The environment in which `pulumi` and everything that starts it use this tool chain.
 *
 * @param home PULUMI_HOME; {@link Toolchain.pulumiHome} by default.
 */
export function toolchainEnv(toolchain: Toolchain, home = toolchain.pulumiHome): Record<string, string> {
  return {
    PATH: [toolchain.binDir, path.dirname(programNode()), process.env["PATH"] ?? ""].join(path.delimiter),
    PULUMI_HOME: home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // If a plugin is missing, show an error instead of looking for it on the network.
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}

async function main(): Promise<void> {
  const toolchain = await ensureToolchain((line) => console.error(line));
  console.error(`Pulumi ${cliVersion}, ${pluginNames.map((name) => `${name} ${pluginVersion(name)}`).join(", ")}`);
  for (const [name, value] of Object.entries(toolchainEnv(toolchain))) console.log(`export ${name}='${value}'`);
}

if (require.main === module) {
  main().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
