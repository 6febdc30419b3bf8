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
 * What a script answered, held against the shape that its answer must have. A machine that did not run the script answers
 * without the acknowledgement: a gate that is empty or another program, for instance.
 * @param actions what the script may have been asked to do
 * @param stdout all that came back
 * @throws UnacknowledgedError where it does not end with the script's acknowledgement
 * @throws Error where the answer is not of its shape; the answer itself is not shown
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
