import { parseGuestConfig } from "../../../lab/pve/guestConfig";
import * as fs from "node:fs";
import type { Homelab } from "../homelab";
import type { Entry } from "../journal";
import { PLACES, SERVER, vmidOf, type Wish, type WishedNode, wishedNodes, workerName } from "./wish";

/**
 * Checks that every worker leaves the cluster before its machine is removed, and never after that.
 * @param byHand entries of guests that a person or `recover` destroyed: their nodes could not leave before
 * @returns a line for each broken promise
 */
export function orderProblems(entries: readonly Entry[], byHand: ReadonlySet<Entry>): string[] {
  return PLACES.flatMap((place) => {
    const [name, vmid] = [workerName(place), vmidOf(place)];
    const problems: string[] = [];
    // Of the node's current machine. The first machine is older than the journal.
    let life: { k3sBegan?: number; gone?: true } = { k3sBegan: 0 };
    let left = -1;
    for (const entry of entries) {
      if ([`guest ${vmid} create`, `guest ${vmid} clone`].includes(entry.what)) life = {};
      if (entry.what.startsWith(`${name}-k3s `)) life.k3sBegan = entry.began;
      if (entry.what === `${name}-leave delete`) {
        if (life.gone) problems.push(`${name} left after its machine had gone`);
        if (entry.failure === undefined) left = entry.ended ?? Infinity;
      }
      if (entry.what === `guest ${vmid} destroy` && byHand.has(entry)) life = {};
      else if (entry.what === `guest ${vmid} destroy`) {
        const inTime = life.k3sBegan !== undefined && life.k3sBegan < left && left < entry.began;
        if (life.k3sBegan !== undefined && !inTime)
          problems.push(`the machine of ${name} went before ${name} had left`);
        life.gone = true;
      }
    }
    return problems;
  });
}

/**
 * Checks that the homelab is what the wish says, and that nothing else exists but other people's guests.
 * @returns a line for each difference
 */
export async function endProblems(lab: Homelab, wish: Wish, strangers: readonly number[]): Promise<string[]> {
  const nodes = wishedNodes(wish);
  const vmids = [...nodes.map(({ vmid }) => vmid), ...strangers];
  const members = nodes.map(({ name }) => `${name} ${lab.cluster.version}`);
  return [
    ...difference("guests", lab.guests, vmids),
    ...difference(
      "members",
      [...lab.host.members].map((member) => member.join(" ")),
      members,
    ),
    ...difference("resources", await nodeResources(lab), nodes.flatMap(resourcesOf)),
    ...nodes.flatMap((node) => nodeProblems(lab, node)),
  ];
}

function nodeProblems(lab: Homelab, { name, vmid, kind, cores, tier }: WishedNode): string[] {
  const problems: string[] = [];
  const { options } = parseGuestConfig(fs.readFileSync(lab.host.confFile(vmid), "utf8"));
  const k3s = lab.machines.disks.get(vmid)?.k3s;
  if (!lab.machines.isRunning(vmid)) problems.push("does not run");
  const called = options.get(kind === "lxc" ? "hostname" : "name");
  if (called !== name) problems.push(`is called ${called}`);
  if (options.get("cores") !== String(cores)) problems.push(`has ${options.get("cores")} cores, not ${cores}`);
  if (k3s === undefined) problems.push("has no K3s");
  if (k3s?.caHash !== lab.machines.disks.get(SERVER.vmid)?.k3s?.caHash) problems.push("is not in this cluster");
  const labels = lab.host.tasks.filter(({ step }) => step === `${name}-ready`).at(-1)?.args["LABELS"] ?? "";
  const wanted = tier === "" ? "" : `tier=${tier}`;
  if (labels !== wanted) problems.push(`has the labels "${labels}", not "${wanted}"`);
  return problems.map((problem) => `${name} ${problem}`);
}

/** Names of the nodes' resources in the state, one for each resource. */
async function nodeResources(lab: Homelab): Promise<string[]> {
  return (await lab.state()).map(({ name }) => name).filter((name) => /^k3s-(master|worker|vm)/.test(name));
}

/** Three resources have the node's name: two components and the machine. */
function resourcesOf({ name, kind }: WishedNode): string[] {
  const scripts = ["guard", kind, "host-key", "artifacts", "leave", "k3s", "ready"].map(
    (script) => `${name}-${script}`,
  );
  return [name, name, name, ...scripts];
}

/** One line if two collections differ; order does not matter. */
export function difference<T>(what: string, are: Iterable<T>, should: Iterable<T>): string[] {
  const [found, wanted] = [[...are].sort(), [...should].sort()].map((items) => items.join(", "));
  return found === wanted ? [] : [`${what} are ${found || "none"}; they should be ${wanted || "none"}`];
}
