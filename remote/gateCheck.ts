import { randomBytes } from "node:crypto";

import { clusterStepName } from "../plan/steps";
import { advice, readAdvice } from "./advice";
import { UnacknowledgedError } from "./answer";
import { ConnectionError, runTask, type ShellTarget } from "./sshClient";

/** What to do about a gate that does not run the program's scripts. */
export const installGate = (host: string): string =>
  `npx proxmox-k3s gate --install root@${host}, which puts the gate there and tries it; then pulumi up`;

/**
 * Has the Proxmox host run a script that answers what it was asked with. Without this, a forced command that does nothing
 * and ends well would let every check, drain and guard "succeed" unrun.
 * @param cluster its name, for the step's
 * @returns false where the host was not reached: what needs it says so itself
 * @throws Error with the cause and what to do where the host answers and the script did not run
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
      // The gate and the script say what to do themselves; a missing file or a broken gate does not.
      if (readAdvice(message).next !== undefined) throw error;
      throw failure(`the forced command of the program's SSH key failed: ${message}`, installGate(target.host));
    }
  }
  throw failure(
    "the forced command of the program's SSH key on the Proxmox host does not run its scripts",
    installGate(target.host),
  );
}
