import { ownCommand } from "../../config/ownCommand";
import { destroyKeeper, MACHINE_KINDS } from "../../plan/machineKinds";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import { type NodeEffect, transitions } from "../../plan/transitions";
import { fail, ok, warn } from "../doctor/finding";
import { IN_ANOTHER_STATE } from "../recover/guests";
import { findLeftovers } from "../recover/leftovers";
import { broken, type Difference, seenOf, unseen } from "./difference";
import type { Sight, StorageSight } from "./sight";

const RECOVER = ownCommand("recover");
const OTHER_STATE =
  "use the state that has it, if that is the right one (docs/second-machine.md); this one never changes it";
/** Free space of a storage below which there is a warning, and below which it counts as full. */
const LITTLE = 0.1;
const NONE = 0.02;

/** Where a node's guest is. */
export type Place =
  | { readonly is: "running" | "stopped" | "missing" | "not made" | "unknown" }
  | { readonly is: "foreign"; readonly name: string }
  | { readonly is: "elsewhere"; readonly on: string };

/** Whether the state matches the plan, that is, what an `up` would change. */
export function checkState(plan: ClusterPlan, { record, state, marked, ofAnotherState }: Sight): Difference[] {
  const { changes, refusals } = transitions(record, plan);
  const left = findLeftovers(state, seenOf(marked) ?? []);
  const found: Difference[] = [
    ...(left.open.length > 0
      ? [fail("state", `an interrupted run left unfinished operations: ${left.open.length}`, RECOVER)]
      : []),
    ...refusals.map(({ path, problem, hint }) =>
      fail("state", `${path}: ${problem}`, hint ?? "pulumi preview says more"),
    ),
    ...changes.map(({ node, effect, reasons }) => broken("state", node, describe(effect, reasons), "pulumi up")),
    ...left.kept.map(({ vmId, name }) =>
      warn(
        "state",
        `guest ${vmId} (${name}) keeps the further disks of a node that is gone`,
        `if nobody needs them: ${destroyKeeper(vmId)} on the Proxmox host`,
      ),
    ),
    ...[...left.discard, ...left.unclear].map(({ vmId, name }) =>
      fail("state", `guest ${vmId} (${name}) has the cluster's mark, but is not in the state`, RECOVER),
    ),
    ...ofAnotherState.map(({ vmId, name }) =>
      warn("state", `guest ${vmId} (${name}) ${IN_ANOTHER_STATE}`, OTHER_STATE),
    ),
  ];
  return found.length > 0 ? found : [ok("state", "it records what the plan says")];
}

function describe(effect: NodeEffect, reasons: readonly string[]): string {
  switch (effect) {
    case "join":
      return "is in the plan, but does not exist yet";
    case "leave":
      return "is no longer in the plan, but still exists";
    default:
      return `differs from the plan in ${reasons.join(" and ")}`;
  }
}

/** Where each planned node's guest is, by the node's name. */
export function placesOf(plan: ClusterPlan, sight: Sight): ReadonlyMap<string, Place> {
  const [marked, listed] = [seenOf(sight.marked), seenOf(sight.listed)];
  const made = new Set(sight.record.nodes.map(({ name }) => name));
  const placeOf = ({ name, vmId, proxmoxNode, kind }: NodePlan): Place => {
    if (!made.has(name)) return { is: "not made" };
    if (!marked) return { is: "unknown" };
    const ours = marked.find((guest) => guest.vmId === vmId && guest.kind === kind);
    const there = listed?.find((guest) => guest.vmId === vmId);
    if (!ours) return there ? { is: "foreign", name: there.name } : { is: "missing" };
    if (ours.pveNode !== proxmoxNode) return { is: "elsewhere", on: ours.pveNode };
    if (!listed) return { is: "unknown" };
    // The token can see all guests, so a missing one has just been removed.
    return there ? { is: there.isRunning ? "running" : "stopped" } : { is: "missing" };
  };
  return new Map(plan.nodes.map((node) => [node.name, placeOf(node)]));
}

/** Whether each guest is on the Proxmox VE node of the plan, and runs. */
export function checkGuests(plan: ClusterPlan, sight: Sight, places: ReadonlyMap<string, Place>): Difference[] {
  const found = plan.nodes.flatMap((node) => guestProblem(node, places.get(node.name)!));
  const blind = [sight.marked, sight.listed].flatMap((look) => ("seen" in look ? [] : [unseen("guests", look)]));
  if (found.length > 0 || blind.length > 0) return [...blind, ...found];
  return [ok("guests", `${[...places.values()].filter(({ is }) => is === "running").length} run where the plan says`)];
}

function guestProblem({ name, vmId, proxmoxNode, kind }: NodePlan, place: Place): Difference[] {
  const { command, migrate } = MACHINE_KINDS[kind];
  switch (place.is) {
    case "missing":
      return [broken("guests", name, `has no guest ${vmId} any more`, "pulumi up --refresh, which creates it again")];
    case "foreign":
      return [
        broken(
          "guests",
          name,
          `lost its VMID ${vmId} to the guest ${JSON.stringify(place.name)}, which is not ours`,
          `give ${name} another VMID (vmIds of its pool), then pulumi up`,
        ),
      ];
    case "elsewhere":
      return [
        broken(
          "guests",
          name,
          `is on the Proxmox VE node ${place.on}, not on ${proxmoxNode}`,
          `${migrate(vmId, proxmoxNode)} on ${place.on}`,
        ),
      ];
    case "stopped":
      return [
        broken("guests", name, `does not run: guest ${vmId} is stopped`, `${command} start ${vmId} on ${proxmoxNode}`),
      ];
    default:
      return [];
  }
}

/** Whether each storage of the plan exists and has free space. */
export function checkStorages({ storages }: Sight): Difference[] {
  const seen = seenOf(storages);
  if (!seen) return "why" in storages ? [unseen("storages", storages)] : [];
  return seen.map(storageFinding);
}

const GIB = 1024 ** 3;

function storageFinding({ name, isActive, totalBytes, freeBytes }: StorageSight): Difference {
  if (!isActive) return fail("storages", `${name} is not active`, "pvesm status on the Proxmox host says why");
  const text = `${name} has ${Math.floor(freeBytes / GIB)} of ${Math.round(totalBytes / GIB)} GiB free`;
  const remedy = `free some space on ${name}: a guest whose storage is full stops writing`;
  if (freeBytes <= NONE * totalBytes) return fail("storages", text, remedy);
  return freeBytes < LITTLE * totalBytes ? warn("storages", text, remedy) : ok("storages", text);
}
