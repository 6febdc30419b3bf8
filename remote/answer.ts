import { type Action } from "./script";
import { taskOf, type TaskName } from "./tasks";

/** A script on a machine was asked to run, and nothing shows that it did. */
export class UnacknowledgedError extends Error {}

/** What every script prints last (`scripts/lib/runner.sh`) when it has run and ended well. */
export const acknowledgement = (step: string, action: Action): string => `proxmox-k3s: ${step} ${action} done`;

/** One line or none. */
const ONE_LINE = "[^\\n\\x00]*";

/**
 * What a script answered, held against the shape that its answer must have. A machine that did not run the script answers
 * without the acknowledgement: a gate that is empty or another program, for instance.
 * @param stdout all that came back
 * @throws UnacknowledgedError where it does not end with the script's acknowledgement
 * @throws Error where the answer is not of its shape; the answer itself is not shown
 */
export function readAnswer(task: TaskName, step: string, action: Action, stdout: string): string {
  const text = stdout.trimEnd();
  const end = acknowledgement(step, action);
  if (text !== end && !text.endsWith(`\n${end}`))
    throw new UnacknowledgedError(`${step}: the machine answered, but it did not run the script`);
  const answer = text.slice(0, text.length - end.length).trim();
  if (!new RegExp(`^(?:${taskOf(task).answer ?? ONE_LINE})$`).test(answer))
    throw new Error(`${step}: the answer is not of the form that the task ${task} gives`);
  return answer;
}
