import { MACHINE_TIMEOUTS, VM_TIMEOUTS } from "./machineTimeouts";
import { type ClusterPlan, isNixos, type NodePlan } from "./model";

/** Time limits of the steps. A script is ended after its limit; a preview adds the limits up. */

/** The part of the plan that the limits depend on. */
export type Bounded = Pick<ClusterPlan, "k3s" | "removal">;

/** Seconds for the steps whose limit is the same for every cluster. */
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

/** Seconds for the installation of packages, all tries together. The rest of the limit is left for the last try to end. */
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

/** Seconds for a restart of K3s: its start, and the return to the former config if K3s rejects a change. */
const k3sStart = ({ k3s }: Pick<Bounded, "k3s">): number => k3s.startTimeoutSeconds + 120;

/** Seconds that a new node waits for an answer of the server that it joins (`scripts/node/k3s-onboarding.sh`). */
export const SERVER_TIMEOUT = 100;

/** Seconds for the step that installs K3s, or restarts it. */
export const k3sBound = (plan: Pick<Bounded, "k3s">): number => SERVER_TIMEOUT + k3sStart(plan);

/** Seconds for the check whether a node is Ready, including its labels and its place in etcd. */
export const readyBound = ({ k3s }: Pick<Bounded, "k3s">): number => 2 * k3s.startTimeoutSeconds + 60;

/** Seconds that a joining server waits until another server answers: about the time of a restart. */
export const OTHERS_TIMEOUT = 120;
export const joinBound = OTHERS_TIMEOUT + 300;

/** Seconds for a removed server to leave etcd, and for the deletion of a Node (`scripts/host/leave.sh`). */
const LEAVE_ETCD = 120;
const DELETE_NODE = 130;

/** Seconds for the pods of a node to move; after that the removal stops. */
export const drainBound = ({ removal }: Pick<Bounded, "removal">): number =>
  removal.drainTimeoutSeconds * (removal.onBlocked === "force" ? 2 : 1);

/** Seconds that a node is away for a restart of K3s. */
export const restartBound = (plan: Bounded): number => k3sStart(plan) + readyBound(plan);

/** Seconds that a node is away for a reboot. */
export const rebootBound = ({ kind }: Pick<NodePlan, "kind">, plan: Bounded): number =>
  (kind === "lxc" ? MACHINE_TIMEOUTS.timeoutUpdate : VM_TIMEOUTS.timeoutShutdownVm + VM_TIMEOUTS.timeoutStartVm) +
  readyBound(plan);

/** Seconds from the drain of a node until it is created again and Ready. */
export function rebuildBound(node: NodePlan, plan: Bounded): number {
  const isServer = node.role === "server";
  const { destroy, create, setUp } = MACHINE_BOUNDS[node.kind];
  const files = isNixos(node) ? STEP_BOUNDS.nixosBuild + 2 * STEP_BOUNDS.nixosSwitch : STEP_BOUNDS.artifacts;
  const goes = (isServer ? LEAVE_ETCD : 0) + DELETE_NODE + STEP_BOUNDS.guard + destroy;
  const machine = STEP_BOUNDS.claim + create + setUp + STEP_BOUNDS.guest; // settings, host key
  return goes + machine + files + (isServer ? joinBound : 0) + k3sBound(plan) + readyBound(plan);
}
