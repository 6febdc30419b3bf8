import * as fs from "node:fs";
import * as path from "node:path";
import { Log } from "../support/cache";
import { run } from "../host/run";
import { cliVersion, PluginName, pluginVersion } from "./versions";

/** How long the vendor's site may take to answer before the tool chain is built instead. */
const probeMs = 4_000;

/** Addresses of the vendors' releases. */
export interface Vendors {
  /** Folder of the CLI's archives. */
  readonly cli: string;
  /** `--server` of `pulumi plugin install`, for plugins that the CLI does not find by itself. */
  readonly plugins: Partial<Record<PluginName, string>>;
}

export const VENDORS: Vendors = {
  cli: "https://get.pulumi.com/releases/sdk",
  plugins: { proxmoxve: "github://api.github.com/muhlba91/pulumi-proxmoxve" },
};

/** The release archive of the CLI, which holds the Node.js language host too. */
function archiveUrl({ cli }: Vendors): string {
  const arch = process.arch === "x64" ? "x64" : "arm64";
  return `${cli}/pulumi-v${cliVersion}-${process.platform}-${arch}.tar.gz`;
}

/** Whether the vendors' server answers within a few seconds. */
export function answers(vendors: Vendors): Promise<boolean> {
  return fetch(archiveUrl(vendors), { method: "HEAD", signal: AbortSignal.timeout(probeMs) }).then(
    (response) => response.ok,
    () => false,
  );
}

let answer: Promise<boolean> | undefined;

/** The same for the real vendors; asks once per process. */
export const vendorAnswers = (): Promise<boolean> => (answer ??= answers(VENDORS));

/** Downloads the released CLI with its language host into `dir`. */
export async function downloadCli(dir: string, log: Log, vendors = VENDORS): Promise<void> {
  log(`downloading the Pulumi CLI ${cliVersion}`);
  const url = archiveUrl(vendors);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const archive = path.join(dir, "archive.tar.gz");
  fs.writeFileSync(archive, Buffer.from(await response.arrayBuffer()));
  await run("tar", ["-xzf", archive, "-C", dir, "--strip-components=1"]);
  fs.rmSync(archive);
}

/** Downloads a released resource plugin into `dir`, by the CLI. */
export async function downloadPlugin(
  pulumi: string,
  name: PluginName,
  dir: string,
  log: Log,
  vendors = VENDORS,
): Promise<void> {
  const version = pluginVersion(name);
  log(`downloading the plugin ${name} ${version}`);
  const home = path.join(dir, "home");
  const server = vendors.plugins[name];
  const env = { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" };
  await run(pulumi, ["plugin", "install", "resource", name, version, ...(server ? ["--server", server] : [])], { env });
  const installed = path.join(home, "plugins", `resource-${name}-v${version}`);
  for (const file of fs.readdirSync(installed)) fs.renameSync(path.join(installed, file), path.join(dir, file));
  fs.rmSync(home, { recursive: true });
}
