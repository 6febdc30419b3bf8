import { MACHINE_TIMEOUTS, VM_TIMEOUTS } from "./machineTimeouts";
import { type ClusterPlan, isNixos, type NodePlan } from "./model";

/*
 * How long a step may take at most. Scripts are ended after it; a preview adds it up.
 */

/** What of the plan the bounds follow from. */
export type Bounded = Pick<ClusterPlan, "k3s" | "removal">;

/** Seconds of steps whose bound is the same for every cluster. */
export const STEP_BOUNDS = {
  claim: 300,
  guard: 300,
  guest: 300,
  firstBoot: 1200,
  artifacts: 540,
  nixosBuild: 3600,
  nixosSwitch: 900,
  packages: 540,
  storage: 600,
  page: 60,
} as const;

/** Seconds in which packages are installed, all tries together; the rest of the bound is for the last one to end. */
export const PACKAGES_DEADLINE = 420;

/** Seconds to destroy a machine, to create one, and to set it up. */
const MACHINE_BOUNDS = {
  lxc: {
    destroy: MACHINE_TIMEOUTS.timeoutDelete,
    create: MACHINE_TIMEOUTS.timeoutCreate,
    setUp: STEP_BOUNDS.guest,
  },
  vm: { destroy: VM_TIMEOUTS.timeoutStopVm, create: VM_TIMEOUTS.timeoutClone, setUp: STEP_BOUNDS.firstBoot },
} as const;

/** Seconds in which K3s restarts: its start, and a return to what it had if it refuses a change. */
const k3sStart = ({ k3s }: Pick<Bounded, "k3s">): number => k3s.startTimeoutSeconds + 120;

/** Seconds that a new node waits until the server that it joins answers (`scripts/node/k3s-onboarding.sh`). */
export const SERVER_TIMEOUT = 100;

/** Seconds for the step that installs K3s, or restarts it. */
export const k3sBound = (plan: Pick<Bounded, "k3s">): number => SERVER_TIMEOUT + k3sStart(plan);

/** Seconds for a look whether a node is Ready, its labels and its place in etcd among them. */
export const readyBound = ({ k3s }: Pick<Bounded, "k3s">): number => 2 * k3s.startTimeoutSeconds + 60;

/** Seconds that a joining server waits until another server answers: about the time of a restart. */
export const OTHERS_TIMEOUT = 120;
export const joinBound = OTHERS_TIMEOUT + 300;

/** Seconds in which a removed server leaves etcd, and in which a Node is deleted (`scripts/host/leave.sh`). */
const LEAVE_ETCD = 120;
const DELETE_NODE = 130;

/** Seconds in which the pods of a node have moved, or the removal stops. */
export const drainBound = ({ removal }: Pick<Bounded, "removal">): number =>
  removal.drainTimeoutSeconds * (removal.onBlocked === "force" ? 2 : 1);

/** Seconds that a node is away for a restart of K3s. */
export const restartBound = (plan: Bounded): number => k3sStart(plan) + readyBound(plan);

/** Seconds that a node is away for a reboot. */
export const rebootBound = ({ kind }: Pick<NodePlan, "kind">, plan: Bounded): number =>
  (kind === "lxc" ? MACHINE_TIMEOUTS.timeoutUpdate : VM_TIMEOUTS.timeoutShutdownVm + VM_TIMEOUTS.timeoutStartVm) +
  readyBound(plan);

/** Seconds from the drain of a node until the node that was made anew is Ready. */
export function rebuildBound(node: NodePlan, plan: Bounded): number {
  const isServer = node.role === "server";
  const { destroy, create, setUp } = MACHINE_BOUNDS[node.kind];
  const files = isNixos(node) ? STEP_BOUNDS.nixosBuild + 2 * STEP_BOUNDS.nixosSwitch : STEP_BOUNDS.artifacts;
  const goes = (isServer ? LEAVE_ETCD : 0) + DELETE_NODE + STEP_BOUNDS.guard + destroy;
  const machine = STEP_BOUNDS.claim + create + setUp + STEP_BOUNDS.guest; // settings, host key
  return goes + machine + files + (isServer ? joinBound : 0) + k3sBound(plan) + readyBound(plan);
}
