/** One of Helm's records of a release: it keeps a Secret for each revision. */
export interface ReleaseRecord {
  /** The Secret's name. */
  readonly name: string;
  /** Which version of the Secret this is, so that nothing is deleted that has changed since. */
  readonly precondition: { readonly uid: string; readonly resourceVersion: string };
  /** Helm's own word: `deployed`, `superseded`, `failed`, `uninstalling`, `pending-install` … */
  readonly status: string;
  /** Since the revision began, in seconds. */
  readonly age: number;
  /** Whether this program has installed it. */
  readonly isOurs: boolean;
}

/** What must happen before Helm can work on a release. */
export type NextStep =
  | { readonly kind: "go" }
  /** Helm may still be at work, by an `up` that was killed: on these records, and for how many seconds at most. */
  | { readonly kind: "wait"; readonly seconds: number; readonly records: readonly ReleaseRecord[] }
  /** Nobody is at work, and the records hold up the next run. */
  | { readonly kind: "remove"; readonly records: readonly ReleaseRecord[] }
  /** Somebody else has installed a release of this name. */
  | { readonly kind: "foreign" }
  /** Its removal was cut off half-way, and Helm upgrades no such release. */
  | { readonly kind: "removal" };

/** Helm shows it in `helm history`. Only a run that has ended well has it. */
export const RELEASE_DESCRIPTION = "applied by proxmox-k3s-addons";

/**
 * A run of Helm that is killed leaves a record that holds up every later run: `another operation is in progress` for an upgrade,
 * `cannot re-use a name that is still in use` for an install. If it is removed, the next run takes over what the killed one has
 * made, because Helm's own annotations are on the objects.
 *
 * The provider may outlive a `pulumi` that is killed, and so end its run, well or not. Helm gives up after the timeout, and
 * may take as long again to undo an install. Until then a record is left alone.
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
