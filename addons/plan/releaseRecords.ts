/** One of Helm's records of a release. Helm keeps a Secret for each revision. */
export interface ReleaseRecord {
  /** The Secret's name. */
  readonly name: string;
  /** The exact version of the Secret, so that a Secret that has changed since is not deleted. */
  readonly precondition: { readonly uid: string; readonly resourceVersion: string };
  /** Helm's own word: `deployed`, `superseded`, `failed`, `uninstalling`, `pending-install` … */
  readonly status: string;
  /** Seconds since the revision began. */
  readonly age: number;
  /** Whether this program has installed it. */
  readonly isOurs: boolean;
}

/** What must happen before Helm can work on a release. */
export type NextStep =
  | { readonly kind: "go" }
  /** Helm may still be working on these records, for an `up` that was killed; at most for this many seconds. */
  | { readonly kind: "wait"; readonly seconds: number; readonly records: readonly ReleaseRecord[] }
  /** No run is working, and the records would block the next run. */
  | { readonly kind: "remove"; readonly records: readonly ReleaseRecord[] }
  /** Somebody else has installed a release of this name. */
  | { readonly kind: "foreign" }
  /** Its removal was interrupted, and Helm cannot upgrade such a release. */
  | { readonly kind: "removal" };

/** `helm history` shows it. Only a successful run has it. */
export const RELEASE_DESCRIPTION = "applied by proxmox-k3s-addons";

/**
 * A killed run of Helm leaves a record that blocks every later run: `another operation is in progress` for an upgrade, `cannot
 * re-use a name that is still in use` for an install. If the record is removed, the next run takes over the objects of the killed
 * one, because they have Helm's annotations.
 *
 * The provider may outlive a killed `pulumi`, and complete its run, successfully or not. Helm gives up after the timeout, and may
 * need the same time again to undo an install. Until then, a record is not removed.
 * @param isInState whether the stack's state has the release
 * @param timeout Helm's, in seconds
 */
export function nextStep(records: readonly ReleaseRecord[], isInState: boolean, timeout: number): NextStep {
  if (isInState && records.some(({ status }) => status === "uninstalling")) return { kind: "removal" };
  // An undone upgrade has Helm's own description, but the revision before it has ours.
  if (!isInState && records.some(({ status }) => status === "deployed") && !records.some(({ isOurs }) => isOurs))
    return { kind: "foreign" };
  const atWork = records.filter((record) => isAtWork(record));
  const left = atWork.map(({ status, age }) => (status === "uninstalling" ? 2 * timeout : timeout) - age);
  const seconds = Math.max(0, ...left);
  if (seconds > 0) return { kind: "wait", seconds, records: atWork };
  const inTheWay = isInState ? atWork : records;
  return inTheWay.length > 0 ? { kind: "remove", records: inTheWay } : { kind: "go" };
}

const isAtWork = ({ status }: ReleaseRecord): boolean => status.startsWith("pending-") || status === "uninstalling";
