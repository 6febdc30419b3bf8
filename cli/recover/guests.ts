import { kindOfFolder, type MachineKind } from "../../plan/machineKinds";
import { runTask, type ShellTarget } from "../../remote/sshClient";
import { clusterStepName, stepName } from "../../plan/steps";

/** A guest on the Proxmox host that has the cluster's mark. */
export interface HostGuest {
  readonly vmId: number;
  readonly pveNode: string;
  readonly kind: MachineKind;
  /** Proxmox VE's lock on it: `create`, `backup` …; empty if there is none. */
  readonly lock: string;
  /** Id of its creation; empty if its description has none. */
  readonly creation: string;
  /** This program began its creation, and completed no later step. */
  readonly unfinished: boolean;
  /** It is not a node: it keeps a node's further disks (docs/decisions/0016). */
  readonly keepsDisks?: true;
  /** Its creation began here, and it has no name and no mark yet. It is being created now, or its creation was interrupted. */
  readonly begun?: true;
  readonly name: string;
}

/** Guests on the Proxmox host, on every node of the Proxmox cluster. */
export interface HostGuests {
  /** The guests with the cluster's mark. */
  readonly ours: readonly HostGuest[];
  /** Guests of the cluster in another Pulumi state. They are only listed, never changed. */
  readonly ofAnotherState: readonly HostGuest[];
}

/** The Proxmox host, for one cluster. */
export class ClusterHost {
  constructor(
    private readonly shell: ShellTarget,
    private readonly cluster: string,
    private readonly mark: string,
  ) {}

  async guests(): Promise<HostGuests> {
    const answer = await runTask(this.shell, {
      task: "guests",
      action: "look",
      step: clusterStepName(this.cluster, "guests"),
      title: "guests with the cluster's mark",
      lock: `guests-${this.cluster}`,
      boundSeconds: 120,
      args: {},
      inputs: { MARK: this.mark },
    });
    return parseGuests(answer);
  }

  /**
   * Destroys a guest whose creation was interrupted. The script checks again that the guest is ours and was never in use.
   * @param waitSeconds how long to wait for a creation that is still running
   * @returns the outcome as a sentence
   * @throws Error with the cause and the next command if the guest was not destroyed
   */
  discard(guest: HostGuest, waitSeconds: number): Promise<string> {
    return runTask(this.shell, {
      task: "discard",
      action: "delete",
      step: stepName(guest.name, "discard"),
      title: `destroy guest ${guest.vmId}, whose creation was interrupted`,
      lock: `guest-${guest.vmId}`,
      boundSeconds: waitSeconds + 300,
      args: { VMID: guest.vmId, NAME: guest.name, CREATION: guest.creation, WAIT: waitSeconds },
      inputs: { MARK: this.mark },
    });
  }
}

/** The text about a guest of the cluster in another Pulumi state. */
export const IN_ANOTHER_STATE = "is a node of this cluster in another Pulumi state";

const LINE = /^(\d+) (\S+) (\S+) (\S+) (\S+) (unfinished|begun|disks|another-state|-) (\S*)$/;

/** @param answer the output of `scripts/host/guests.sh` */
export function parseGuests(answer: string): HostGuests {
  const guests = answer.split("\n").filter(Boolean).map(parseGuest);
  const of = (isOurs: boolean) => guests.filter((each) => each.isOurs === isOurs).map(({ guest }) => guest);
  return { ours: of(true), ofAnotherState: of(false) };
}

function parseGuest(line: string): { guest: HostGuest; isOurs: boolean } {
  const [, vmId, pveNode = "", folder = "", lock = "", creation = "", state, name = ""] = LINE.exec(line) ?? [];
  const kind = kindOfFolder(folder);
  if (kind === undefined)
    throw new Error(`the Proxmox host answered with a line that does not describe a guest: ${line}`);
  const guest: HostGuest = {
    vmId: Number(vmId),
    pveNode,
    kind,
    lock: lock === "-" ? "" : lock,
    creation: creation === "-" ? "" : creation,
    unfinished: state === "unfinished",
    ...(state === "disks" ? { keepsDisks: true } : {}),
    ...(state === "begun" ? { begun: true } : {}),
    name: name === "-" ? "" : name,
  };
  return { guest, isOurs: state !== "another-state" };
}
