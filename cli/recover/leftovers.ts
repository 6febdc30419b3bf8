import { stepName } from "../../plan/steps";
import type { HostGuest } from "./guests";
import type { OpenOperation, StackState, StateGuest } from "../state";

/** What interrupted runs have left behind: the differences between the state and the Proxmox host. */
export interface Leftovers {
  /** Pending operations of the state. */
  readonly open: readonly OpenOperation[];
  /** Guests of ours that are not in the state and whose creation was interrupted: they hold no data. */
  readonly discard: readonly HostGuest[];
  /** Other guests of ours that are not in the state. They may hold data, so a person must decide. */
  readonly unclear: readonly HostGuest[];
  /** Guests whose creation began here, and whose owner is not known yet. */
  readonly begun: readonly HostGuest[];
  /** Guests that keep the disks of removed nodes. They block nothing, and a person may want the disks. */
  readonly kept: readonly HostGuest[];
  /** Machines in the state whose guest no longer exists. */
  readonly vanished: readonly StateGuest[];
}

/**
 * Compares the state with the guests that have the cluster's mark.
 *
 * A guest may be destroyed only if all of this is true: it has the mark, it is not in the state, and the Proxmox host has a
 * record that exactly this creation began and never finished (`scripts/lib/guest.sh`). A copy that somebody made of a node meets
 * the first two conditions, but not the third.
 */
export function findLeftovers(state: Pick<StackState, "guests" | "open">, onHost: readonly HostGuest[]): Leftovers {
  const unknown = onHost.filter(
    ({ vmId, keepsDisks, begun }) => !keepsDisks && !begun && !state.guests.some((guest) => guest.vmId === vmId),
  );
  return {
    open: state.open,
    discard: unknown.filter(({ unfinished }) => unfinished),
    unclear: unknown.filter(({ unfinished }) => !unfinished),
    begun: onHost.filter(({ begun }) => begun),
    kept: onHost.filter(
      ({ keepsDisks, name }) => keepsDisks && !state.guests.some((guest) => stepName(guest.name, "disks") === name),
    ),
    vanished: state.guests.filter(({ vmId }) => !onHost.some((guest) => guest.vmId === vmId)),
  };
}
