import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { readCredentials } from "../../credentials/read";
import { hint, SOURCES } from "../../credentials/sources";
import { STEP_BOUNDS } from "../../plan/bounds";
import { loadPlan } from "../../plan/load";
import { stepName } from "../../plan/steps";
import { runTask } from "../../remote/sshClient";
import { hostTarget, markOf, readStack } from "../stack";
import { nodeNamed } from "./apply";

/** `proxmox-k3s ssh`: a shell on a node. */
export const sshCommand = new Command("ssh")
  .description(
    "Log in to a node as root, or run a command there. The Proxmox host says which host key the node has, so no unknown key is trusted.",
  )
  .argument("<node>", "the node's name")
  .argument("[command...]", "a command to run instead of a shell; put -- before it if it has options")
  .option("--stack <name>", "the stack (default: the selected one)")
  .addHelpText(
    "after",
    `\nExample:\n  ${ownCommand("ssh k3s-worker-1 -- journalctl -u k3s-agent -n 50")}\n\nThe same without this command: ssh root@ADDRESS with a key of ssh.authorizedKeys`,
  )
  .action(async (name: string, command: string[], { stack }: { stack?: string }) => {
    process.exitCode = await login(name, command, stack);
  });

async function login(name: string, command: readonly string[], stackName: string | undefined): Promise<number> {
  const stack = await readStack(stackName);
  const plan = loadPlan(stack.cluster);
  const node = nodeNamed(name, plan);
  const mark = markOf(stack, plan);
  const { nodeKey } = readCredentials(stack.config, plan.ssh.authorizedKeys).values;
  if (nodeKey === undefined) throw new Error(`there is no usable ${hint(SOURCES.nodeKey)}`);
  const hostKey = await runTask(hostTarget(stack, plan), {
    task: "host-key",
    action: "look",
    step: stepName(node.name, "host-key"),
    title: `the SSH host key of ${node.name}`,
    lock: `guest-${node.vmId}`,
    boundSeconds: STEP_BOUNDS.guest,
    args: { VMID: node.vmId, NAME: node.name },
    inputs: { MARK: mark },
  });
  return openSession({ address: node.address, hostKey, nodeKey }, command);
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs the user's `ssh`. A signal ends `ssh` and not this process, so the file with the key is always removed.
 * @returns its exit code
 */
export async function openSession(login: Omit<Login, "folder">, command: readonly string[]): Promise<number> {
  let child: ChildProcess | undefined;
  const passOn = (signal: NodeJS.Signals): void => void child?.kill(signal);
  for (const signal of SIGNALS) process.on(signal, passOn);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "proxmox-k3s-"));
  try {
    const ssh = (child = spawn("ssh", sshArguments({ folder, ...login }, command), { stdio: "inherit" }));
    return await new Promise((resolve, reject) => {
      ssh.on("error", reject);
      ssh.on("exit", (code, signal) => resolve(code ?? (signal === null ? 1 : 128 + os.constants.signals[signal])));
    });
  } finally {
    fs.rmSync(folder, { recursive: true });
    for (const signal of SIGNALS) process.off(signal, passOn);
  }
}

interface Login {
  /** Only the user can read it. */
  readonly folder: string;
  readonly address: string;
  readonly hostKey: string;
  readonly nodeKey: string;
}

/** The key is in a file, never in an argument. The user's own SSH configuration is not used. */
export function sshArguments({ folder, address, hostKey, nodeKey }: Login, command: readonly string[]): string[] {
  const [key, known] = [path.join(folder, "key"), path.join(folder, "known-hosts")];
  fs.writeFileSync(key, `${nodeKey.trimEnd()}\n`, { mode: 0o600 });
  fs.writeFileSync(known, `${address} ${hostKey}\n`);
  const options = [
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "StrictHostKeyChecking=yes",
    `UserKnownHostsFile=${known}`,
  ];
  return ["-F", "none", "-i", key, ...options.flatMap((option) => ["-o", option]), `root@${address}`, ...command];
}
