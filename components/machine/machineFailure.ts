import * as pulumi from "@pulumi/pulumi";

import { kindOfResource, MACHINE_KINDS, type MachineKind } from "../../plan/machineKinds";
import { hookName } from "../../plan/steps";
import { advice } from "../../remote/advice";
import { diskTooLarge } from "./byHand";

/** An operation on a machine that the Proxmox client gave up. */
export interface MachineFailure {
  readonly operation: "create" | "update" | "delete";
  readonly node: string;
  readonly kind: MachineKind;
  readonly vmId: number;
  /** Of the guest's resource. */
  readonly urn: string;
  /** The cluster's resource pool. */
  readonly pool: string;
  /** What the client says: its own words about a request or a task, often several attempts of it. */
  readonly message: string;
}

/* What failed is read from the client's words, as its errors carry no code. */

/** The client does not know how its request ended: it asked for a task, and then nothing was heard of that. */
const UNKNOWN = /(error|timeout) while waiting for task|failed to perform HTTP (POST|PUT) request/;
/** The same once it had asked for the end of the guest; before that the guest stands, running or not. */
const UNKNOWN_REMOVAL =
  /(error|timeout) while waiting for task "[^"]*:(vz|qm)destroy:|failed to perform HTTP DELETE request/;

/** The guest is in another pool than the token's rights, or in none. */
const FORBIDDEN = /Permission check failed \(\/vms\/\d+, VM\./;

/** Somebody grew the disk on the host, and no refresh has seen it. */
const TOO_LARGE = /new disk size \((\d+)G\) has to be greater than the current disk \((\d+)G\)/;

/** Why Proxmox VE keeps a guest, and what ends that; looked at before the node leaves, and set since (scripts/lib/guest.sh). */
const KEPT: readonly (readonly [words: RegExp, cause: string, end: (vmId: number, command: "pct" | "qm") => string])[] =
  [
    [/protection mode/, "is protected", (vmId, command) => `${command} set ${vmId} --protection 0`],
    [
      /used in HA resources/,
      "is in the high availability of Proxmox VE",
      (vmId, command) => `ha-manager remove ${command === "pct" ? "ct" : "vm"}:${vmId}`,
    ],
    [/replication job/, "is copied by a replication job", (vmId) => `pvesr list, and pvesr delete ${vmId}-0`],
  ];

const LOCKED = /(CT|VM) is locked|configuration to become unlocked/;

/**
 * What a failure means and what to do, in the form of the scripts' errors. The client's own message, which the engine
 * prints beside it, names a request and a reason, and neither the node nor a way on.
 */
export function explain({ operation, node, kind, vmId, urn, pool, message }: MachineFailure): string {
  const { command } = MACHINE_KINDS[kind];
  const text = (cause: string, next: string): string => advice(`${node}: ${cause}`, next);
  const isUnknown = UNKNOWN.test(message);
  if (FORBIDDEN.test(message))
    return text(
      `the API token may not touch guest ${vmId}, which is not in the resource pool ${pool}`,
      wayToPool({ operation, kind, vmId, urn, pool }),
    );
  if (LOCKED.test(message)) {
    return text(
      `guest ${vmId} is locked by other work on the Proxmox host, a backup for instance`,
      `wait for that work to end (${command} config ${vmId}; ${command} unlock ${vmId} where nothing works on it any more), then pulumi up`,
    );
  }
  const [, wanted, is] = TOO_LARGE.exec(message) ?? [];
  if (is !== undefined) return diskTooLarge(node, Number(is), Number(wanted));
  switch (operation) {
    case "create":
      if (!isUnknown && !message.includes("unexpected status"))
        return text(
          `its machine (guest ${vmId}) was not made or not started; the lines of Proxmox VE say why`,
          "pulumi up",
        );
      return text(
        `how the creation of guest ${vmId} ended is not known`,
        "npm run cluster -- recover, which clears away what was made of it; then pulumi up",
      );
    case "update":
      return isUnknown
        ? text(`how the change of guest ${vmId} ended is not known`, "pulumi up --refresh")
        : text(`guest ${vmId} was not changed, or only in part`, "pulumi up --refresh");
    case "delete":
      for (const [words, cause, end] of KEPT)
        if (words.test(message))
          return text(`guest ${vmId} ${cause}`, `${end(vmId, command)} on the Proxmox host, then pulumi up`);
      // Once the guest is gone the client fails for ever, and only a refresh takes it out of the state.
      return UNKNOWN_REMOVAL.test(message) || message.includes("does not exist")
        ? text(`how the removal of guest ${vmId} ended is not known`, "pulumi up --refresh")
        : text(`guest ${vmId} still stands`, "pulumi up");
  }
}

/** A stranger's guest must not be talked into the pool: only before a change has the claim just seen that it is ours. */
function wayToPool({ operation, kind, vmId, urn, pool }: Omit<MachineFailure, "node" | "message">): string {
  const move = `pveum pool modify ${pool} --allow-move 1 --vms ${vmId} on the Proxmox host, then pulumi up`;
  switch (operation) {
    case "create":
      return "pulumi up, which says whose the guest is";
    case "update":
      return move;
    case "delete":
      return `${MACHINE_KINDS[kind].command} config ${vmId} on the Proxmox host says whose it is. A stranger's: pulumi state delete --yes --target-dependents '${urn}', then pulumi up. Ours: ${move}`;
  }
}

/**
 * Speaks when the client gives up. One for all machines of a cluster, because a node that has gone from the program has
 * no hook of its own any more. It never asks for another attempt: a second creation could adopt a stranger's guest.
 */
export function machineFailure(cluster: string, pool: string): pulumi.ErrorHook {
  return new pulumi.ErrorHook(
    hookName(cluster, "machine-failure"),
    async ({ urn, name, type, failedOperation, newInputs, oldInputs, errors }) => {
      const vmId = Number((newInputs ?? oldInputs)?.["vmId"]);
      const operation = failedOperation as MachineFailure["operation"];
      const kind = kindOfResource(type);
      if (kind !== undefined)
        await pulumi.log.warn(explain({ operation, node: name, kind, vmId, urn, pool, message: errors[0] ?? "" }));
      return false;
    },
  );
}
