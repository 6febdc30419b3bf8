import { randomBytes } from "node:crypto";

import { ownCommand } from "../config/ownCommand";
import { clusterStepName } from "../plan/steps";
import { advice, readAdvice } from "./advice";
import { UnacknowledgedError } from "./answer";
import { ConnectionError, runTask, type ShellTarget } from "./sshClient";

/** What to do if the gate does not run the program's scripts. */
export const installGate = (host: string): string =>
  `${ownCommand(`gate --install root@${host}`)}, which installs and tests the gate; then pulumi up`;

/**
 * Runs a script on the Proxmox host that must answer with the random number that it was given. Without this test, a forced
 * command that does nothing and ends with 0 would let every check, drain and guard "succeed", though it never ran.
 * @param cluster its name, for the name of the step
 * @returns false if the host was not reached: the steps that need it report that
 * @throws Error with the cause and the next step if the host answers, but did not run the script
 */
export async function checkGate(target: ShellTarget, cluster: string): Promise<boolean> {
  const nonce = randomBytes(8).toString("hex");
  const step = clusterStepName(cluster, "gate-check");
  const failure = (cause: string, next: string): Error => new Error(advice(`${step}: ${cause}`, next));
  try {
    const answer = await runTask(target, {
      task: "gate-check",
      action: "look",
      step,
      title: "the Proxmox host runs this program's scripts",
      lock: step,
      boundSeconds: 60,
      args: { NONCE: nonce },
      inputs: {},
    });
    if (answer === nonce) return true;
  } catch (error) {
    if (error instanceof ConnectionError) return false;
    if (!(error instanceof UnacknowledgedError)) {
      const { message } = error as Error;
      // Errors of the gate and of the script name a next step. Those of a missing or broken gate do not.
      if (readAdvice(message).next !== undefined) throw error;
      throw failure(`the forced command of the program's SSH key failed: ${message}`, installGate(target.host));
    }
  }
  throw failure(
    "the forced command of the program's SSH key on the Proxmox host does not run this program's scripts",
    installGate(target.host),
  );
}
