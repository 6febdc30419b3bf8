import { type Action } from "./script";
import { type AnswerOf, taskOf, type TaskName } from "./tasks";

/** A script on a machine was asked to run, and nothing shows that it did. */
export class UnacknowledgedError extends Error {}

/** What every script prints last (`scripts/lib/runner.sh`) when it has run and ended well. */
export const acknowledgement = (step: string, action: Action): string => `proxmox-k3s: ${step} ${action} done`;

/** One line or none. */
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
    throw new Error(`${step}: the answer is not of the form that the task ${task} gives`);
  return answer as AnswerOf<Name>;
}
