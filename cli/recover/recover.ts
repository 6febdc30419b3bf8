import { createInterface } from "node:readline/promises";

import { guestSettings } from "../../components/machine/guestSettings";
import { loadPlan } from "../../plan/load";
import { destroyKeeper, MACHINE_KINDS } from "../../plan/machineKinds";
import { clusterIdOf, descriptionOf } from "../../plan/mark";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import { nameOf } from "../../plan/urn";
import { repairFileBackend } from "./backend";
import { ClusterHost, type HostGuest, IN_ANOTHER_STATE } from "./guests";
import { findLeftovers, type Leftovers } from "./leftovers";
import { awaitPlugins } from "./orphans";
import { findLost, type Lost, takeBack } from "./takeBack";
import { PROGRAM } from "../pulumi";
import { hostTarget, readStack } from "../stack";
import { backendUrl, exportState, type StackState, writeState } from "../state";

export interface RecoverOptions {
  /** The selected stack by default. */
  readonly stack?: string;
  /** Seconds to wait for a creation that is still running on the host. */
  readonly wait: number;
  /** Do not ask. */
  readonly yes: boolean;
}

/** Seconds to wait for plugins that still run after their engine has ended. */
const ORPHAN_SECONDS = 60;

/**
 * Makes the state and the Proxmox host agree again after an interrupted run, so that `pulumi up` can continue. Shows what it will
 * do, and asks. It never breaks a lock: while another run holds the stack's lock, it does nothing.
 * @returns the exit code: 0 if nothing is left that a person must decide
 */
export async function recover({ stack, wait, yes }: RecoverOptions): Promise<number> {
  await awaitPlugins({ folder: PROGRAM, env: process.env }, ORPHAN_SECONDS);
  for (const file of repairFileBackend(await backendUrl()))
    say([`removed ${file}, which the interrupted run had left empty`]);
  const selected = stack === undefined ? [] : ["--stack", stack];
  const cluster = await openCluster(stack);
  const { host, state } = cluster;
  const { ours, ofAnotherState } = host ? await host.guests() : { ours: [], ofAnotherState: [] };
  const left = sort(findLeftovers(state, ours), cluster);
  say(describe(left));
  say(ofAnotherState.map((guest) => `${guestText(guest)}: ${IN_ANOTHER_STATE}; it is not touched`));
  const steps = [
    ...left.discard.map(discardText),
    ...left.lost.map(({ guest }) => `take ${guestText(guest)} into the state again`),
    ...(left.open.length > 0 ? ["remove the pending operations from the state"] : []),
  ];
  if (steps.length === 0) return conclude(left);

  say(["To do, once the stack's lock is free:", ...steps.map((step) => `  - ${step}`)]);
  if (!yes && !(await agrees())) {
    say(["Nothing was done."]);
    return 1;
  }
  await takeTurn(selected, state, withLost(left.lost, cluster));
  const failures = await discardAll(host, left.discard, wait);
  if (failures.length > 0) throw new Error(failures.join("\n"));
  return conclude(left);
}

interface OpenedCluster {
  readonly host?: ClusterHost;
  readonly plan: ClusterPlan;
  /** Undefined before the first `up`. */
  readonly mark: string | undefined;
  readonly state: StackState;
}

/** The leftovers, without the guests that only the state has lost. */
interface Sorted extends Leftovers {
  /** Lost guests that are where the config says. They are taken into the state again. */
  readonly lost: readonly Lost[];
  /** Lost guests on another Proxmox node. */
  readonly elsewhere: readonly { readonly guest: HostGuest; readonly node: NodePlan }[];
}

function sort({ unclear, begun, ...left }: Leftovers, { plan, state }: OpenedCluster): Sorted {
  const sorted = unclear.map((guest) => {
    const node = plan.nodes.find(
      ({ name, vmId, kind }) => name === guest.name && vmId === guest.vmId && kind === guest.kind,
    );
    const lost = node && findLost(state.text, guest);
    return { guest, node, lost, isThere: node?.proxmoxNode === guest.pveNode };
  });
  return {
    ...left,
    // The host has records of all clusters.
    begun: begun.filter(({ vmId }) => plan.nodes.some((node) => node.vmId === vmId)),
    lost: sorted.flatMap(({ lost, isThere }) => (lost && isThere ? [lost] : [])),
    elsewhere: sorted.flatMap(({ guest, node, lost, isThere }) => (lost && node && !isThere ? [{ guest, node }] : [])),
    unclear: sorted.flatMap(({ guest, lost }) => (lost ? [] : [guest])),
  };
}

/** The state with the lost guests added again. */
function withLost(lost: readonly Lost[], { plan, mark, state }: OpenedCluster): string {
  if (lost.length === 0 || mark === undefined) return state.text;
  return lost.reduce((text, each) => {
    const node = plan.nodes.find(({ name }) => name === each.guest.name)!;
    const description = descriptionOf(each.guest.creation, mark);
    return takeBack(text, each, { ...guestSettings(node, plan, clusterIdOf(mark)), description });
  }, state.text);
}

/** The cluster's state and host. There is no host before the first `up`, because the cluster has no mark yet. */
async function openCluster(name: string | undefined): Promise<OpenedCluster> {
  const opened = await readStack(name);
  const plan = loadPlan(opened.cluster);
  const { state } = opened;
  const mark = state.mark(plan.name);
  if (mark === undefined) return { plan, mark, state };
  return { host: new ClusterHost(hostTarget(opened, plan), plan.name, mark), plan, mark, state };
}

/**
 * Writes the state, without the pending operations. This also proves that no other run is using the stack. Only then may a guest
 * be destroyed that is not in the state.
 */
async function takeTurn(selected: readonly string[], before: StackState, text: string): Promise<void> {
  const now = await exportState(selected);
  if (now.text !== before.text) throw new Error("the stack has changed in the meantime: run this again");
  await writeState(selected, text);
}

/** Continues with the next guest if one fails. @returns the failures */
async function discardAll(
  host: ClusterHost | undefined,
  guests: readonly HostGuest[],
  wait: number,
): Promise<string[]> {
  const failures: string[] = [];
  for (const guest of guests) {
    try {
      say([await host!.discard(guest, wait)]);
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  return failures;
}

function describe({ open, discard, unclear, begun, kept, vanished, lost, elsewhere }: Sorted): string[] {
  return [
    // If a run is interrupted again, the same operation is recorded twice.
    ...new Set(open.map(({ type, urn }) => `${nameOf(urn)} (${typeOf(urn)}): interrupted while ${type}`)),
    ...discard.map((guest) => `${guestText(guest)}: its creation was interrupted, and it is not in the state`),
    ...[...lost, ...elsewhere].map(
      ({ guest }) => `${guestText(guest)}: is a node, and a refresh that did not find it has taken it out of the state`,
    ),
    ...unclear.map((guest) => `${guestText(guest)}: has the cluster's mark, but is not in the state`),
    ...begun.map(({ vmId }) => `guest ${vmId}: its creation began, and it has no name yet`),
    ...kept.map((guest) => `${guestText(guest)}: keeps the further disks of a node that is gone`),
    ...vanished.map(
      ({ name, vmId }) =>
        `guest ${vmId} (${name}): in the state, but the Proxmox host has no such guest with the cluster's mark`,
    ),
  ];
}

function conclude({ open, discard, unclear, begun, kept, vanished, lost, elsewhere }: Sorted): number {
  if ([open, discard, unclear, begun, vanished, lost, elsewhere].every(({ length }) => length === 0))
    say(["Nothing is left to recover."]);
  for (const guest of kept)
    say([
      `${guestText(guest)} was not changed; if nobody needs its disks: ${destroyKeeper(guest.vmId)} on ${guest.pveNode}`,
    ]);
  for (const { vmId, pveNode, kind } of begun)
    say([
      `error: guest ${vmId} is being created, or its creation was interrupted; it does not say whose it is, so it was not changed`,
      `next:  look in the task log of ${pveNode}; if a task makes it, wait for its end, then run this again; if none does: ${MACHINE_KINDS[kind].command} unlock ${vmId} && ${MACHINE_KINDS[kind].command} destroy ${vmId} on ${pveNode}`,
    ]);
  for (const guest of unclear)
    say([
      `error: ${guestText(guest)} may be a node or a copy of one, so it was not changed`,
      `next:  restore a state that has this guest (pulumi stack history; pulumi stack import), or, if nobody needs it, run ${MACHINE_KINDS[guest.kind].destroy(guest.vmId)} on ${guest.pveNode}`,
    ]);
  for (const { guest, node } of elsewhere)
    say([
      `error: ${guestText(guest)} is on the Proxmox node ${guest.pveNode}; the config has it on ${node.proxmoxNode}`,
      `next:  ${MACHINE_KINDS[guest.kind].migrate(guest.vmId, node.proxmoxNode)} on ${guest.pveNode}, then run this again`,
    ]);
  if (elsewhere.length + begun.length > 0) return 1;
  say([
    vanished.length + lost.length > 0 ? "next:  pulumi up --refresh, or pulumi destroy --refresh" : "next:  pulumi up",
  ]);
  return unclear.length > 0 ? 1 : 0;
}

const guestText = ({ vmId, name }: HostGuest): string => `guest ${vmId} (${name})`;
const discardText = (guest: HostGuest): string => `destroy ${guestText(guest)} on ${guest.pveNode}`;

/** The last part of a resource's type: `Command`. */
function typeOf(urn: string): string {
  return urn.split("::").at(-2)!.split(":").at(-1)!;
}

/** @returns false for any answer except yes, and if there is no terminal */
async function agrees(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    say(["There is no terminal to ask on; pass --yes to go on without a question."]);
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question("Go on? [y/N] ")).trim());
  } finally {
    terminal.close();
  }
}

function say(lines: readonly string[]): void {
  for (const line of lines) console.log(line);
}
