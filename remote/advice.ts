import { ownCommand } from "../config/ownCommand";

/** An error with its cause and the next step, in the form of the scripts' errors (`fail` in scripts/lib/task.sh). */
export function advice(cause: string, next: string): string {
  return `${cause}\nnext:  ${next}`;
}

/** The cause and the next step in an error of that form, without any output before them. */
export function readAdvice(text: string): { readonly cause: string | undefined; readonly next: string | undefined } {
  return { cause: /error: ([^\n]*)/.exec(text)?.[1], next: /^next: +([^\n]*)/m.exec(text)?.[1] };
}

/** What to do if the Proxmox host cannot be reached, or the connection was lost. */
export const REACH_HOST = `run ${ownCommand("doctor")} to find the cause, then pulumi up`;
