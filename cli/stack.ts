import { execFile } from "node:child_process";
import * as path from "node:path";
import { promisify } from "node:util";

import { markText } from "../config/mark";

/** What the Pulumi CLI knows of a stack. */
export interface Stack {
  /** The object under `proxmox-k3s:cluster`, not checked; undefined where the stack has none. */
  readonly cluster: unknown;
  /** Values of the stack's own config by key, decrypted. */
  readonly config: Readonly<Record<string, string>>;
  /** The mark of a cluster's guests; undefined until its first `up`. */
  mark(cluster: string): string | undefined;
}

interface Deployment {
  readonly deployment: {
    readonly resources?: readonly { readonly urn: string; readonly outputs?: { hex?: string } }[];
  };
}

const PROJECT = "proxmox-k3s";
const MINIMUM = [3, 259] as const;
const repo = path.join(__dirname, "..");
const execute = promisify(execFile);

/**
 * Runs `pulumi`.
 * @throws Error with the last line of what it said
 */
async function pulumi(...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await execute("pulumi", [...args], { cwd: repo, maxBuffer: 1 << 28 });
    return stdout;
  } catch (error) {
    const { code, stderr = "", message } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === "ENOENT") throw new Error("pulumi is not on PATH", { cause: error });
    throw new Error(
      stderr
        .trim()
        .split("\n")
        .at(-1)
        ?.replace(/^error: /, "") || message,
      { cause: error },
    );
  }
}

/** The Pulumi CLI's version, and whether it is one that the program runs with. */
export async function pulumiVersion(): Promise<{ version: string; isEnough: boolean }> {
  const version = (await pulumi("version")).trim();
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return { version, isEnough: major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1]) };
}

/**
 * Reads a stack's config and state through the CLI, so with whatever backend and secrets provider the person has.
 * @param name the selected stack by default
 */
export async function readStack(name?: string): Promise<Stack> {
  const stack = name === undefined ? [] : ["--stack", name];
  const [configText, stateText] = await Promise.all([
    pulumi("config", "--json", "--show-secrets", ...stack),
    pulumi("stack", "export", ...stack),
  ]);
  const entries = Object.entries(JSON.parse(configText) as Record<string, { value?: string }>);
  const own = entries.filter(([key]) => key.startsWith(`${PROJECT}:`));
  const config = Object.fromEntries(own.map(([key, { value = "" }]) => [key.slice(PROJECT.length + 1), value]));
  const { resources = [] } = (JSON.parse(stateText) as Deployment).deployment;
  return {
    cluster: config["cluster"] === undefined ? undefined : (JSON.parse(config["cluster"]) as unknown),
    config,
    mark: (cluster) => {
      const anchor = resources.find(({ urn }) => urn.endsWith(`RandomId::${cluster}-anchor`));
      const [stackUrn = "", project = ""] = anchor?.urn.split("::") ?? [];
      const clusterId = anchor?.outputs?.hex;
      if (clusterId === undefined) return undefined;
      return markText({ project, stack: stackUrn.replace(/^urn:pulumi:/, ""), cluster, clusterId });
    },
  };
}
