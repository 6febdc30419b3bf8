import { EXAMPLE_KEY } from "../../config/sshKeys";
import { sectionSchemas } from "../../config/schema";
import { loadPlan } from "../../plan/load";
import type { ClusterPlan } from "../../plan/model";
import { clusterInText } from "../preview/former";
import type { HostFacts } from "./facts";
import type { InitOptions } from "./init";
import type { Person } from "./person";
import { InitError } from "./problem";
import { candidatesOf, COUNT_PROBLEM, type Kind, KINDS, type Proposal, propose, type Wishes } from "./propose";
import { renderStackFile } from "./stackFile";

/** A cluster that `init` prepares: its plan, and the stack file that it writes if there is none yet. */
export interface Setup {
  readonly plan: ClusterPlan;
  /** Undefined if the stack file already exists. */
  readonly proposal?: Proposal;
}

/** The address where the host was reached. */
interface At {
  readonly address: string;
  readonly port: number;
}

const problem = (cause: string, next: string): InitError => new InitError([{ cause, next }]);

export async function askName(options: InitOptions, person: Person): Promise<string> {
  return options.name === undefined ? person.ask("Name of the cluster", "k3s", readName) : readName(options.name);
}

function readName(name: string): string {
  if (sectionSchemas.name.safeParse(name).success) return name;
  throw problem(`the name "${name}" must be ${String(sectionSchemas.name.meta()?.["must"])}`, "choose another --name");
}

function readKind(text: string): Kind {
  const kind = KINDS.find((each) => each === text);
  if (kind) return kind;
  throw problem(`"${text}" is not a kind of node`, `choose one of ${KINDS.join(", ")}`);
}

const readCount =
  (what: keyof typeof COUNT_PROBLEM) =>
  (text: string): number => {
    const wrong = COUNT_PROBLEM[what](Number(text));
    if (wrong) throw new InitError([wrong]);
    return Number(text);
  };

/** The user's answers, complete. Values from options are checked with the proposal. */
async function askWishes(name: string, options: InitOptions, person: Person): Promise<Wishes> {
  const kinds = "Nodes in containers (lxc), virtual machines (vm) or mixed";
  const kind = options.kind ?? (await person.ask(kinds, "lxc", readKind));
  const servers = options.servers ?? (await person.ask("Servers (1, 3 or 5)", "1", readCount("servers")));
  const workers = options.workers ?? (await person.ask("Workers", "2", readCount("workers")));
  const { vmid, address, bridge, gateway, nameserver, storage, template, image, sha256 } = options;
  const given = { vmId: vmid, address, bridge, gateway, nameserver, storage, template, image, sha256 };
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return { name, kind, servers, workers, ...Object.fromEntries(present) };
}

/**
 * Asks for what only the user knows, and proposes free addresses: the host does not know them, and none of them answers.
 * @param answering asks the host which of these addresses answer
 */
export async function newSetup(
  {
    name,
    facts,
    at,
    options,
    person,
  }: { name: string; facts: HostFacts; at: At; options: InitOptions; person: Person },
  answering: (addresses: readonly string[]) => Promise<string[]>,
): Promise<Setup> {
  if (facts.members.length > 0)
    throw problem(
      `the cluster ${name} has guests on the host (${facts.members.join(", ")}), and this machine has no stack file for it`,
      "choose another --name; or use the stack from the machine where that cluster was created (docs/second-machine.md)",
    );
  const wishes = await askWishes(name, options, person);
  const free = await proposeFree(facts, wishes, at, answering);
  const { address } = free.proposal.pools.control;
  if (options.address !== undefined) return setupOf(free.proposal);
  const question = "First address of the nodes, outside your router's DHCP range";
  const read = async (chosen: string): Promise<typeof free> =>
    chosen === address ? free : proposeFree(free.facts, { ...wishes, address: chosen }, at, answering);
  return setupOf((await person.ask(question, address, read)).proposal);
}

async function proposeFree(
  facts: HostFacts,
  wishes: Wishes,
  at: At,
  answering: (addresses: readonly string[]) => Promise<string[]>,
): Promise<{ proposal: Proposal; facts: HostFacts }> {
  const proposal = propose(facts, wishes, at);
  const taken = await answering(candidatesOf(proposal));
  if (taken.length === 0) return { proposal, facts };
  return proposeFree({ ...facts, answering: [...facts.answering, ...taken] }, wishes, at, answering);
}

/** @throws ConfigError if the config breaks a rule */
export function setupOf(proposal: Proposal): Setup {
  // The key for the nodes is created later, and does not change the plan.
  return {
    proposal,
    plan: loadPlan(clusterInText("the new stack file", () => renderStackFile(proposal, EXAMPLE_KEY))),
  };
}
