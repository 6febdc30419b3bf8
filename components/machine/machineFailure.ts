import * as pulumi from "@pulumi/pulumi";

import { ownCommand } from "../../config/ownCommand";
import { kindOfResource, MACHINE_KINDS, type MachineKind } from "../../plan/machineKinds";
import { TEMPLATE_ROLE, templatePath } from "../../plan/privileges";
import { hookName } from "../../plan/steps";
import { advice } from "../../remote/advice";
import { diskTooLarge } from "./byHand";

/** A failed operation of the Proxmox provider on a machine. */
export interface MachineFailure {
  readonly operation: "create" | "update" | "delete";
  readonly node: string;
  readonly kind: MachineKind;
  readonly vmId: number;
  /** URN of the guest's resource. */
  readonly urn: string;
  /** The cluster's resource pool. */
  readonly pool: string;
  /** The provider's error about a request or a task, often with several attempts. */
  readonly message: string;
}

/* The provider's errors have no code, so the text says what failed. */

/** The provider does not know how its request ended: it started a task and did not learn the result. */
const UNKNOWN = /(error|timeout) while waiting for task|failed to perform HTTP (POST|PUT) request/;
/** The same, after the request to destroy the guest. Before that request, the guest still exists. */
const UNKNOWN_REMOVAL =
  /(error|timeout) while waiting for task "[^"]*:(vz|qm)destroy:|failed to perform HTTP DELETE request/;

/** No request was sent, so nothing was done. */
const UNTRUSTED = /tls: failed to verify certificate|x509: /;

/** The guest is not in the pool for which the token has its privileges. */
const FORBIDDEN = /Permission check failed \(\/vms\/\d+, VM\./;

/** The token has no privileges on the template of a virtual machine. */
const NO_CLONE = /Permission check failed \(\/vms\/(\d+), VM\.Clone\)/;

/** Somebody grew the disk on the host, and no refresh has seen it. */
const TOO_LARGE = /new disk size \((\d+)G\) has to be greater than the current disk \((\d+)G\)/;

/**
 * Why Proxmox VE does not remove or change a guest or a disk, and the command that ends that. A removal has checked this before
 * (scripts/lib/guest.sh).
 */
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
 * What a failure means and what to do, in the form of the scripts' errors. The engine also prints the provider's own message.
 * That names a request and a reason, but not the node and not the next step.
 */
export function explain({ operation, node, kind, vmId, urn, pool, message }: MachineFailure): string {
  const { command } = MACHINE_KINDS[kind];
  const text = (cause: string, next: string): string => advice(`${node}: ${cause}`, next);
  const isUnknown = UNKNOWN.test(message);
  const [, template] = NO_CLONE.exec(message) ?? [];
  if (template !== undefined)
    return text(
      `the API token may not copy the template ${template}`,
      `grant ${TEMPLATE_ROLE.name} at ${templatePath(Number(template))} (docs/by-hand.md, "An API token"; ${ownCommand("doctor")} prints the command), then pulumi up`,
    );
  if (UNTRUSTED.test(message) && !/while waiting for task/.test(message))
    return text(
      "the Proxmox provider does not trust the API's certificate, so it sent no request",
      `${ownCommand("doctor")}, which says what is wrong with the certificate; then pulumi up`,
    );
  if (FORBIDDEN.test(message))
    return text(
      `the API token may not change guest ${vmId}, which is not in the resource pool ${pool}`,
      wayToPool({ operation, kind, vmId, urn, pool }),
    );
  if (LOCKED.test(message)) {
    if (kind === "vm" && operation === "create")
      return text(
        `the template of guest ${vmId} is locked by another task on the Proxmox host, for example a backup`,
        "wait until that task ends, then pulumi up",
      );
    return text(
      `guest ${vmId} is locked by another task on the Proxmox host, for example a backup`,
      `wait until that task ends, then pulumi up; if no task is running (${command} config ${vmId}), run ${command} unlock ${vmId} first`,
    );
  }
  for (const [words, cause, end] of KEPT)
    if (words.test(message))
      return text(`guest ${vmId} ${cause}`, `${end(vmId, command)} on the Proxmox host, then pulumi up`);
  const [, wanted, is] = TOO_LARGE.exec(message) ?? [];
  if (is !== undefined) return diskTooLarge(node, Number(is), Number(wanted));
  switch (operation) {
    case "create":
      if (!isUnknown && !message.includes("unexpected status"))
        return text(
          `guest ${vmId} was not created or not started`,
          "fix the cause in the message of Proxmox VE, then pulumi up",
        );
      return text(
        `it is not known whether guest ${vmId} was created`,
        `${ownCommand("recover")}, which removes an incomplete guest; then pulumi up`,
      );
    case "update":
      return isUnknown
        ? text(`it is not known whether guest ${vmId} was changed`, "pulumi up --refresh")
        : text(`guest ${vmId} was not changed, or only partly`, "pulumi up --refresh");
    case "delete":
      // Once the guest is gone, the provider always fails. Only a refresh removes the guest from the state.
      return UNKNOWN_REMOVAL.test(message) || message.includes("does not exist")
        ? text(`it is not known whether guest ${vmId} was removed`, "pulumi up --refresh")
        : text(`guest ${vmId} still exists`, "fix the cause in the message of Proxmox VE, then pulumi up");
  }
}

/**
 * A guest that is not ours must not be moved into the pool. Only before a change, the claim has just checked that the guest is
 * ours.
 */
function wayToPool({ operation, kind, vmId, urn, pool }: Omit<MachineFailure, "node" | "message">): string {
  const move = `pveum pool modify ${pool} --allow-move 1 --vms ${vmId} on the Proxmox host, then pulumi up`;
  switch (operation) {
    case "create":
      return "pulumi up, which names the guest that has this VMID";
    case "update":
      return move;
    case "delete":
      return `check with ${MACHINE_KINDS[kind].command} config ${vmId} on the Proxmox host whose guest it is. If it is not yours: pulumi state delete --yes --target-dependents '${urn}', then pulumi up. If it is yours: ${move}`;
  }
}

/**
 * Logs a hint when the Proxmox provider fails. One hook serves all machines of a cluster, because a node that was removed
 * from the program has no hook of its own. It never retries: a second creation could take over a guest that is not ours.
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
