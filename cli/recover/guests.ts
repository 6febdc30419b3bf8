import { kindOfFolder, type MachineKind } from "../../plan/machineKinds";
import { runTask, type ShellTarget } from "../../remote/sshClient";
import { clusterStepName, stepName } from "../../plan/steps";

/** A guest on the Proxmox host that carries the cluster's mark. */
export interface HostGuest {
  readonly vmId: number;
  readonly pveNode: string;
  readonly kind: MachineKind;
  /** What holds it: `create`, `backup` …; empty when nothing does. */
  readonly lock: string;
  /** Number of its creation; empty where its description has none. */
  readonly creation: string;
  /** Its creation was begun by this program, and nothing that follows one. */
  readonly unfinished: boolean;
  readonly name: string;
}

/** The Proxmox host as one cluster's owner sees it. */
export class ClusterHost {
  constructor(
    private readonly shell: ShellTarget,
    private readonly cluster: string,
    private readonly mark: string,
  ) {}

  /** All guests with the mark, wherever in the Proxmox cluster. */
  async guests(): Promise<HostGuest[]> {
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
   * Destroys a guest whose creation was cut off. The host looks at all that makes it ours and worthless once more.
   * @param waitSeconds how long a creation may still go on by itself
   * @returns the outcome in words
   * @throws Error with the cause and the next command when it was not done
   */
  discard(guest: HostGuest, waitSeconds: number): Promise<string> {
    return runTask(this.shell, {
      task: "discard",
      action: "delete",
      step: stepName(guest.name, "discard"),
      title: `destroys guest ${guest.vmId}, whose creation was cut off`,
      lock: `guest-${guest.vmId}`,
      boundSeconds: waitSeconds + 300,
      args: { VMID: guest.vmId, NAME: guest.name, CREATION: guest.creation, WAIT: waitSeconds },
      inputs: { MARK: this.mark },
    });
  }
}

const LINE = /^(\d+) (\S+) (\S+) (\S+) (\S+) (unfinished|-) (\S*)$/;

/** @param answer what `scripts/host/guests.sh` printed */
export function parseGuests(answer: string): HostGuest[] {
  return answer.split("\n").filter(Boolean).map(parseGuest);
}

function parseGuest(line: string): HostGuest {
  const [, vmId, pveNode = "", folder = "", lock = "", creation = "", state, name = ""] = LINE.exec(line) ?? [];
  const kind = kindOfFolder(folder);
  if (kind === undefined) throw new Error(`the Proxmox host answered with a line that is no guest: ${line}`);
  return {
    vmId: Number(vmId),
    pveNode,
    kind,
    lock: lock === "-" ? "" : lock,
    creation: creation === "-" ? "" : creation,
    unfinished: state === "unfinished",
    name,
  };
}
