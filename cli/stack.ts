import * as fs from "node:fs";
import * as path from "node:path";
import * as semver from "semver";
import { parse } from "yaml";

import type { CredentialProblem } from "../credentials/problem";
import { readCredentials, type StackConfig } from "../credentials/read";
import { hint, SOURCES } from "../credentials/sources";
import type { ClusterPlan } from "../plan/model";
import type { ShellTarget } from "../remote/sshClient";
import { PROGRAM, pulumi } from "./pulumi";
import { stackProblem } from "./stackProblem";
import { exportState, type StackState } from "./state";

/** A stack's config and state. */
export interface Stack {
  /** The object under `proxmox-k3s:cluster`, not checked; undefined if the stack has none. */
  readonly cluster: unknown;
  readonly config: StackConfig;
  readonly state: StackState;
}

interface Project {
  readonly name: string;
  readonly requiredPulumiVersion: string;
}
const project = parse(fs.readFileSync(path.join(PROGRAM, "Pulumi.yaml"), "utf8")) as Project;

/** The project's name, which is the namespace of its config. */
export const PROJECT = project.name;

/** The oldest Pulumi CLI that the program runs with. Pulumi.yaml requires it. */
export const LEAST_PULUMI = project.requiredPulumiVersion.replace(/^>=/, "");

/** The Pulumi CLI's version, and whether the program runs with it. */
export async function pulumiVersion(): Promise<{ version: string; isEnough: boolean }> {
  const version = (await pulumi(["version"])).trim();
  // Only the three numbers count: a pre-release build of the minimum is enough.
  const numbers = semver.coerce(version);
  return { version, isEnough: numbers !== null && semver.gte(numbers, LEAST_PULUMI) };
}

/**
 * Reads a stack's config and state through the CLI, so that the user's own backend and secrets provider are used.
 * @param name the selected stack by default
 * @throws StackError with the cause and the next step
 */
export async function readStack(name?: string): Promise<Stack> {
  try {
    return await read(name);
  } catch (error) {
    throw await stackProblem(error as Error, name);
  }
}

async function read(name: string | undefined): Promise<Stack> {
  const stack = name === undefined ? [] : ["--stack", name];
  const [configText, state] = await Promise.all([
    pulumi(["config", "--json", "--show-secrets", ...stack]),
    exportState(stack),
  ]);
  const entries = parseConfig(configText).filter(([key]) => key.startsWith(`${PROJECT}:`));
  const own = new Map(entries.map(([key, entry]) => [key.slice(PROJECT.length + 1), entry]));
  const cluster = own.get("cluster")?.value;
  return {
    cluster: cluster === undefined ? undefined : (JSON.parse(cluster) as unknown),
    config: {
      get: (key) => own.get(key)?.value,
      isSecret: (key) => own.get(key)?.secret ?? false,
    },
    state,
  };
}

type ConfigEntry = [key: string, { readonly value?: string; readonly secret: boolean }];

/** @throws Error that shows nothing of the text, because the text contains the decrypted secrets */
function parseConfig(text: string): ConfigEntry[] {
  try {
    return Object.entries(JSON.parse(text) as Record<string, ConfigEntry[1]>);
  } catch {
    throw new Error("`pulumi config --json` did not print JSON");
  }
}

/**
 * The mark of the stack's cluster.
 * @throws Error with the next step if no `pulumi up` has created one
 */
export function markOf({ state }: Pick<Stack, "state">, { name }: ClusterPlan): string {
  const mark = state.mark(name);
  if (mark === undefined) throw new Error("the stack has no cluster yet\nnext:  pulumi up");
  return mark;
}

export const unusableHostKey = (problems: readonly CredentialProblem[]): Error =>
  new Error([`there is no usable ${hint(SOURCES.hostKey)}`, ...problems.map(({ problem }) => problem)].join("\n  - "));

/**
 * The connection to the Proxmox host.
 * @throws Error if there is no usable key for it
 */
export function hostTarget({ config }: Pick<Stack, "config">, { proxmox, ssh }: ClusterPlan): ShellTarget {
  const { values, problems } = readCredentials(config, ssh.authorizedKeys);
  const privateKey = values.hostKey;
  if (privateKey === undefined) throw unusableHostKey(problems);
  const { host, sshPort: port, sshUser: user, hostKey } = proxmox;
  return { host, port, user, privateKey, hostKey };
}

/** The same for a command that only looks. A person waits for it, so it tries to connect only once. */
export const lookTarget = (...of: Parameters<typeof hostTarget>): ShellTarget => ({ ...hostTarget(...of), dials: 1 });
