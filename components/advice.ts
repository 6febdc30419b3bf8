/** An error as a person reads it, in the form of the scripts' own (`fail` in scripts/lib.sh): the cause, and what to do. */
export function advice(cause: string, next: string): string {
  return `${cause}\nnext:  ${next}`;
}
