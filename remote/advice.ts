/** An error as a person reads it, in the form of the scripts' own (`fail` in scripts/lib/task.sh): the cause, and what to do. */
export function advice(cause: string, next: string): string {
  return `${cause}\nnext:  ${next}`;
}

/** What to do where the Proxmox host cannot be reached, or was lost. */
export const REACH_HOST = "npm run doctor says what is wrong on the way there; then pulumi up";
