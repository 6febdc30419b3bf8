import type { HostGuest } from "./guests";
import type { OpenOperation, StackState, StateGuest } from "../state";

/** What interrupted runs have left: where the state and the Proxmox host disagree. */
export interface Leftovers {
  /** Operations that the state takes for unfinished. */
  readonly open: readonly OpenOperation[];
  /** Guests of ours that no state knows, whose creation was cut off: nothing of worth is in them. */
  readonly discard: readonly HostGuest[];
  /** Guests of ours that no state knows, and that may be more than that: a person has to judge. */
  readonly unclear: readonly HostGuest[];
  /** Machines in the state whose guest has gone. */
  readonly vanished: readonly StateGuest[];
}

/**
 * Compares the state with the guests that carry the cluster's mark.
 *
 * A guest is given up only when all of this holds: it carries the mark, no resource of the state is it, and the Proxmox
 * host has the record that this very creation was begun and never went on (`scripts/lib/guest.sh`). A copy that somebody made
 * of a node of ours meets no more than the first two.
 */
export function findLeftovers(state: Pick<StackState, "guests" | "open">, onHost: readonly HostGuest[]): Leftovers {
  const unknown = onHost.filter(({ vmId }) => !state.guests.some((guest) => guest.vmId === vmId));
  // What destroys a guest on the host (`scripts/host/discard.sh`) knows containers only.
  const isCutOff = ({ kind, unfinished }: HostGuest): boolean => kind === "lxc" && unfinished;
  return {
    open: state.open,
    discard: unknown.filter(isCutOff),
    unclear: unknown.filter((guest) => !isCutOff(guest)),
    vanished: state.guests.filter(({ vmId }) => !onHost.some((guest) => guest.vmId === vmId)),
  };
}
