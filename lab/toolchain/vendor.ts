import * as fs from "node:fs";
import * as path from "node:path";
import { Log } from "../support/cache";
import { run } from "../host/run";
import { cliVersion, PluginName, pluginVersion } from "./versions";

/** How long the vendor's site may take to answer before the tool chain is built instead. */
const probeMs = 4_000;

/** The release archive of the CLI, which holds the Node.js language host too. */
function archiveUrl(): string {
  const arch = process.arch === "x64" ? "x64" : "arm64";
  return `https://get.pulumi.com/releases/sdk/pulumi-v${cliVersion}-${process.platform}-${arch}.tar.gz`;
}

let answer: Promise<boolean> | undefined;

/** Whether the vendor's downloads can be had from here; asked once a process. */
export function vendorAnswers(): Promise<boolean> {
  answer ??= fetch(archiveUrl(), { method: "HEAD", signal: AbortSignal.timeout(probeMs) }).then(
    (response) => response.ok,
    () => false,
  );
  return answer;
}

/** Downloads the released CLI with its language host into `dir`. */
export async function downloadCli(dir: string, log: Log): Promise<void> {
  log(`downloading the Pulumi CLI ${cliVersion}`);
  const response = await fetch(archiveUrl());
  if (!response.ok) throw new Error(`${archiveUrl()} answered ${response.status}`);
  const archive = path.join(dir, "archive.tar.gz");
  fs.writeFileSync(archive, Buffer.from(await response.arrayBuffer()));
  await run("tar", ["-xzf", archive, "-C", dir, "--strip-components=1"]);
  fs.rmSync(archive);
}

/** Lets the CLI download a released resource plugin, whose files end up in `dir`. */
export async function downloadPlugin(pulumi: string, name: PluginName, dir: string, log: Log): Promise<void> {
  const version = pluginVersion(name);
  log(`downloading the plugin ${name} ${version}`);
  const home = path.join(dir, "home");
  const server = name === "proxmoxve" ? ["--server", "github://api.github.com/muhlba91/pulumi-proxmoxve"] : [];
  const env = { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" };
  await run(pulumi, ["plugin", "install", "resource", name, version, ...server], { env });
  const installed = path.join(home, "plugins", `resource-${name}-v${version}`);
  for (const file of fs.readdirSync(installed)) fs.renameSync(path.join(installed, file), path.join(dir, file));
  fs.rmSync(home, { recursive: true });
}
