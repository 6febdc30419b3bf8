import { createInterface } from "node:readline/promises";

import { readCredentials } from "../../credentials/read";
import { hint, SOURCES } from "../../credentials/sources";
import { loadPlan } from "../../plan/load";
import { MACHINE_KINDS } from "../../plan/machineKinds";
import { mendFileBackend } from "./backend";
import { ClusterHost, type HostGuest } from "./guests";
import { findLeftovers, type Leftovers } from "./leftovers";
import { awaitPlugins } from "./orphans";
import { PROGRAM } from "../pulumi";
import { readStack } from "../stack";
import { backendUrl, exportState, forgetOpenOperations, nameOf, type StackState } from "../state";

export interface RecoverOptions {
  /** The selected stack by default. */
  readonly stack?: string;
  /** Seconds that a creation which goes on by itself is waited for. */
  readonly wait: number;
  /** Without a question. */
  readonly yes: boolean;
}

/** How long plugins that have outlived their engine may go on with what they are at. */
const ORPHAN_SECONDS = 60;

/**
 * Brings the state and the Proxmox host together again after an interrupted run, so that `pulumi up` can go on. Shows what
 * it will do, and asks. Breaks no lock: while somebody holds the stack's, nothing is done.
 * @returns the exit code: 0 when nothing is left that a person has to judge
 */
export async function recover({ stack, wait, yes }: RecoverOptions): Promise<number> {
  await awaitPlugins({ folder: PROGRAM, env: process.env }, ORPHAN_SECONDS);
  for (const file of mendFileBackend(await backendUrl())) say([`removed ${file}, which the kill had left empty`]);
  const selected = stack === undefined ? [] : ["--stack", stack];
  const { host, state } = await openCluster(stack);
  const left = findLeftovers(state, host ? await host.guests() : []);
  say(describe(left));
  const steps = [...left.discard.map(discardText), ...(left.open.length > 0 ? ["forget the open operations"] : [])];
  if (steps.length === 0) return conclude(left);

  say(["To do, once the stack's lock is free:", ...steps.map((step) => `  - ${step}`)]);
  if (!yes && !(await agrees())) {
    say(["Nothing was done."]);
    return 1;
  }
  await takeTurn(selected, state);
  const failures = await discardAll(host, left.discard, wait);
  if (failures.length > 0) throw new Error(failures.join("\n"));
  return conclude(left);
}

interface OpenedCluster {
  readonly host?: ClusterHost;
  readonly state: StackState;
}

/** The cluster's state and place; no host before the first `up` has given the cluster its mark. */
async function openCluster(name: string | undefined): Promise<OpenedCluster> {
  const opened = await readStack(name);
  const plan = loadPlan(opened.cluster);
  const { state } = opened;
  const mark = state.mark(plan.name);
  if (mark === undefined) return { state };
  const { values, problems } = readCredentials(opened.config, plan.ssh.authorizedKeys);
  const privateKey = values.hostKey;
  if (privateKey === undefined)
    throw new Error(
      [`there is no usable ${hint(SOURCES.hostKey)}`, ...problems.map(({ problem }) => problem)].join("\n  - "),
    );
  const { host, sshPort: port, sshUser: user, hostKey } = plan.proxmox;
  return { host: new ClusterHost({ host, port, user, privateKey, hostKey }, plan.name, mark), state };
}

/**
 * Writes the state back as it was read, without the open operations. It also proves that nobody else is at work on the
 * stack: only then may a guest go that the state does not know.
 */
async function takeTurn(selected: readonly string[], before: StackState): Promise<void> {
  const now = await exportState(selected);
  if (now.text !== before.text) throw new Error("the stack has changed meanwhile: run this again");
  await forgetOpenOperations(selected, before);
}

/** One that cannot go does not keep the others. @returns why some did not go */
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

function describe({ open, discard, unclear, vanished }: Leftovers): string[] {
  return [
    // A run that is interrupted again notes the same operation once more.
    ...new Set(open.map(({ type, urn }) => `${nameOf(urn)} (${typeOf(urn)}): interrupted while ${type}`)),
    ...discard.map((guest) => `${guestText(guest)}: its creation was cut off; the state does not know it`),
    ...unclear.map((guest) => `${guestText(guest)}: carries the cluster's mark, and the state does not know it`),
    ...vanished.map(
      ({ name, vmId }) =>
        `guest ${vmId} (${name}): in the state, but the Proxmox host has none with the cluster's mark`,
    ),
  ];
}

function conclude({ open, discard, unclear, vanished }: Leftovers): number {
  if (open.length + discard.length + unclear.length + vanished.length === 0) say(["Nothing is left to recover."]);
  for (const guest of unclear)
    say([
      `error: ${guestText(guest)} may hold a node or somebody's copy of one; it was not touched`,
      `next:  restore the state that knew it (pulumi stack history; pulumi stack import), or ${MACHINE_KINDS[guest.kind].destroy(guest.vmId)} on ${guest.pveNode} if nobody wants it`,
    ]);
  say([vanished.length > 0 ? "next:  pulumi up --refresh, or pulumi destroy --refresh" : "next:  pulumi up"]);
  return unclear.length > 0 ? 1 : 0;
}

const guestText = ({ vmId, name }: HostGuest): string => `guest ${vmId} (${name})`;
const discardText = (guest: HostGuest): string => `destroy ${guestText(guest)} on ${guest.pveNode}`;

/** The last part of a resource's type: `Command`. */
function typeOf(urn: string): string {
  return urn.split("::").at(-2)!.split(":").at(-1)!;
}

/** @returns false for any answer but yes, and where there is nobody to ask */
async function agrees(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    say(["Nobody is there to ask: --yes goes on without."]);
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
