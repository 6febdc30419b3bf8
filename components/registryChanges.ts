import { z } from "zod";

import type { RegistryFiles } from "../credentials/load";
import type { ClusterPlan } from "../plan/model";
import { parseStep } from "../plan/steps";
import { COMMAND_TYPE } from "../plan/urn";
import { known } from "../remote/known";
import { readSecret } from "../remote/script";
import { entriesIn, type Resources } from "./stateResources";

/** What a node was given for K3s' `registries.yaml`. It has passwords. */
export interface RecordedRegistries {
  readonly yaml: string | undefined;
  readonly cas: string | undefined;
}

/**
 * What the state records of it, by node; a node without K3s is not in it. The engine hands the program its stack's secrets, so it is
 * the only one who knows: an export of the state has them encrypted.
 */
export function registriesIn(state: Resources): ReadonlyMap<string, RecordedRegistries> {
  return new Map(
    entriesIn(state).flatMap(({ name, type, outputs }) => {
      const step = type === COMMAND_TYPE ? parseStep(name) : undefined;
      const { data } = z.looseObject({ stdin: z.string() }).safeParse(outputs);
      if (step?.step !== "k3s" || data === undefined) return [];
      const [yaml, cas] = (["REGISTRIES_YAML", "REGISTRY_CAS"] as const).map((secret) =>
        readSecret(data.stdin, secret),
      );
      return [[step.of, { yaml, cas }] as const];
    }),
  );
}

/** The nodes of the plan that stand, and get another `registries.yaml` or another CA. */
export async function nodesWithOtherRegistries(
  recorded: ReadonlyMap<string, RecordedRegistries>,
  { nodes }: Pick<ClusterPlan, "nodes">,
  wanted: RegistryFiles | undefined,
): Promise<ReadonlySet<string>> {
  // Nobody knows what they are in truth.
  if (wanted?.placeholder) return new Set();
  const [yaml, cas] = wanted === undefined ? [] : [await known(wanted.yaml), wanted.cas];
  const names = nodes.map(({ name }) => name);
  return new Set(
    names.filter((name) => {
      const former = recorded.get(name);
      return former !== undefined && (former.yaml !== yaml || former.cas !== cas);
    }),
  );
}
