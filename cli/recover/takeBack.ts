import { z } from "zod";

import { stepName } from "../../plan/steps";
import { COMMAND_TYPE, nameOf } from "../../plan/urn";
import type { HostGuest } from "./guests";

const resource = z.looseObject({
  urn: z.string(),
  type: z.string(),
  id: z.string().optional(),
  parent: z.string().optional(),
  inputs: z.looseObject({ triggers: z.unknown().optional(), stdin: z.unknown().optional() }).nullish(),
  dependencies: z.array(z.string()).nullish(),
});
const exported = z.looseObject({
  deployment: z.looseObject({ resources: z.array(resource).nullish() }),
});

/** What the state still knows about a guest that is no longer in it. */
export interface Lost {
  readonly guest: HostGuest;
  /** URN that its resource had. */
  readonly urn: string;
}

/**
 * Whether the state has lost exactly this guest. A refresh that did not find the guest removes its resource, but not the node's
 * steps, and these have the id of the guest's creation. A copy has another VMID; a guest that was created again has another id.
 * @param text the output of `pulumi stack export`
 */
export function findLost(text: string, guest: HostGuest): Lost | undefined {
  const guard = guardOf(resourcesIn(text), guest);
  const [, urn] = /^export URN='([^'\n]+)'$/m.exec(String(guard?.inputs?.stdin)) ?? [];
  return urn === undefined || nameOf(urn) !== guest.name ? undefined : { guest, urn };
}

/**
 * The state with the guest's resource added again, directly before what depends on it.
 * @param inputs the guest's inputs from the config; a refresh afterwards reads the guest's real values
 * @throws Error if the state does not have what the resource needs
 */
export function takeBack(text: string, { guest, urn }: Lost, inputs: object): string {
  const state = exported.parse(JSON.parse(text));
  const resources = state.deployment.resources ?? [];
  const guard = guardOf(resources, guest);
  const provider = resources.find(({ type }) => type === "pulumi:providers:proxmoxve");
  if (!guard || !provider) throw new Error(`the state does not have what guest ${guest.vmId} belongs to`);
  const type = urn.split("::").at(-2)!.split("$").at(-1)!;
  const made = {
    ...{ urn, custom: true, id: String(guest.vmId), type, inputs, outputs: { ...inputs, id: String(guest.vmId) } },
    ...{ parent: guard.parent, dependencies: [], provider: `${provider.urn}::${provider.id}` },
  };
  const at = resources.indexOf(guard);
  if (resources.indexOf(provider) > at) throw new Error(`the state has the provider of guest ${guest.vmId} after it`);
  const rest = [{ ...guard, dependencies: [...(guard.dependencies ?? []), urn] }, ...resources.slice(at + 1)];
  return JSON.stringify({
    ...state,
    deployment: { ...state.deployment, resources: [...resources.slice(0, at), made, ...rest] },
  });
}

type Resource = z.infer<typeof resource>;

const resourcesIn = (text: string): readonly Resource[] => exported.parse(JSON.parse(text)).deployment.resources ?? [];

/** The step that depends only on the guest, if it has the id of this creation. */
function guardOf(resources: readonly Resource[], { name, creation }: HostGuest): Resource | undefined {
  const guard = resources.find(({ urn, type }) => type === COMMAND_TYPE && nameOf(urn) === stepName(name, "guard"));
  const triggers = guard?.inputs?.triggers;
  return creation !== "" && Array.isArray(triggers) && triggers.includes(creation) ? guard : undefined;
}
