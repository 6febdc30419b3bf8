import type { Row } from "./row";

/**
 * The Proxmox host refuses or resets SSH connections: for example while it reboots, if sshd has too many connections, or because of a
 * firewall. Every step on the host connects, so the rows differ in what is done by then. Each list is one run.
 */
type Given = Pick<Row, "phase" | "step"> & Partial<Row>;
const FAILED = "after … failed attempts: …";
const NEXT = "next:  run npx proxmox-k3s doctor to find the cause, then pulumi up";
const SAID = `the Proxmox host (…) cannot be reached by SSH: …${NEXT}`;
const refused = (given: Given): Row => ({
  part: "connection to the Proxmox host",
  fault: "it is refused",
  set: { kind: "ssh-refused" },
  // A destroy does not run the program, which would print more.
  sees: given.phase === "destroy" ? [FAILED] : [FAILED, SAID],
  fix: "make sure that `ssh HOST` works",
  remedy: "again",
  bound: 20,
  level: "engine",
  ...given,
});

export const hostShell = {
  "from the start": [
    refused({ phase: "up", step: "roster" }),
    refused({ phase: "up", step: "preflight" }),
    refused({ phase: "up", step: "release-sums" }),
  ],
  "once the host was looked at": [
    refused({
      phase: "up",
      step: "claim",
      from: ["homelab-roster create", "homelab-preflight create", "homelab-release-sums create"],
      sees: [`before hook "NODE-claim" failed: NODE-claim: root@…cannot be reached by SSH: …${NEXT}`],
    }),
  ],
  "once K3s runs on the server": [
    refused({ phase: "up", step: "ready", from: ["k3s-master-k3s create"] }),
    refused({ phase: "up", step: "ca-hash", from: ["k3s-master-k3s create"] }),
    refused({ phase: "up", step: "kubeconfig", from: ["k3s-master-k3s create"] }),
  ],
  /** Two workers: the first is in its container's setup when the machine of the second is made. */
  "while workers are made": [
    refused({ phase: "up", step: "host-key", from: ["guest 103 create"] }),
    refused({ phase: "up", step: "lxc", from: ["guest 103 create"] }),
  ],
  "when nodes are to get their files from the host": [refused({ phase: "up", step: "artifacts" })],
  "when a machine is to change": [
    refused({
      phase: "change",
      step: "claim",
      sees: [`before hook "NODE-claim" failed: NODE-claim: root@…cannot be reached by SSH: …${NEXT}`],
    }),
  ],
  "once a machine was rebooted": [
    refused({
      phase: "change",
      step: "back",
      from: ["guest VMID start"],
      sees: [`after hook "…-rebooted" failed: NODE-back: root@…cannot be reached by SSH: …${NEXT}`],
    }),
  ],
  "when a worker is to go": [refused({ phase: "scale down", step: "preflight" })],
  "once the host was looked at again": [
    refused({ phase: "scale down", step: "leave", from: ["homelab-preflight update"] }),
  ],
  "once a worker has left": [refused({ phase: "scale down", step: "guard", from: ["NODE-leave delete"] })],
  "when all is to go": [refused({ phase: "destroy", step: "guard" })],
  "once every machine is gone": [refused({ phase: "destroy", step: "roster", from: ["guest 100 destroy"] })],
} as const satisfies Record<string, readonly Row[]>;
