import { type Action } from "./script";
import { type AnswerOf, taskOf, type TaskName } from "./tasks";

/** There is no proof that a script ran on a machine. */
export class UnacknowledgedError extends Error {}

/** The last line that every successful script prints (`scripts/lib/runner.sh`). */
export const acknowledgement = (step: string, action: Action): string => `proxmox-k3s: ${step} ${action} done`;

/** At most one line. */
const ONE_LINE = "[^\\n\\x00]*";

/** The shape of a task's answer. */
function shapeOf(task: TaskName): string {
  const { answer = ONE_LINE, words } = taskOf(task);
  return words?.join("|") ?? answer;
}

/**
 * The answer of a script, checked against the shape that its task gives. If the machine did not run the script, for example
 * because the gate is empty or another program, the acknowledgement is missing.
 * @param actions the actions that the script may have run with
 * @param stdout the whole output
 * @throws UnacknowledgedError if it does not end with the script's acknowledgement
 * @throws Error if the answer does not have its shape; the answer itself is not shown
 */
export function readAnswer<Name extends TaskName>(
  task: Name,
  step: string,
  actions: Action | readonly Action[],
  stdout: string,
): AnswerOf<Name> {
  const text = stdout.trimEnd();
  const ends = [actions].flat().map((action) => acknowledgement(step, action));
  const end = ends.find((each) => text === each || text.endsWith(`\n${each}`));
  if (end === undefined) throw new UnacknowledgedError(`${step}: the machine answered, but it did not run the script`);
  const answer = text.slice(0, text.length - end.length).trim();
  if (!new RegExp(`^(?:${shapeOf(task)})$`).test(answer))
    throw new Error(`${step}: the answer does not have the form that the task ${task} must give`);
  return answer as AnswerOf<Name>;
}
