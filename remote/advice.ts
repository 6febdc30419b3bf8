/** An error as a person reads it, in the form of the scripts' own (`fail` in scripts/lib/task.sh): the cause, and what to do. */
export function advice(cause: string, next: string): string {
  return `${cause}\nnext:  ${next}`;
}

/** The cause and the next step in an error of that form; what a script or the gate said before them is left out. */
export function readAdvice(text: string): { readonly cause: string | undefined; readonly next: string | undefined } {
  return { cause: /error: ([^\n]*)/.exec(text)?.[1], next: /^next: +([^\n]*)/m.exec(text)?.[1] };
}

/** What to do where the Proxmox host cannot be reached, or was lost. */
export const REACH_HOST = "npm run doctor says what is wrong on the way there; then pulumi up";
