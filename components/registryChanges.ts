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
 * The `registries.yaml` of each node as the state records it; a node without K3s is not in it. Only the program can read this,
 * because the engine gives it the secrets of its stack: in an export of the state they are encrypted.
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

/** The existing nodes of the plan that get another `registries.yaml` or another CA. */
export async function nodesWithOtherRegistries(
  recorded: ReadonlyMap<string, RecordedRegistries>,
  { nodes }: Pick<ClusterPlan, "nodes">,
  wanted: RegistryFiles | undefined,
): Promise<ReadonlySet<string>> {
  // The real values are not known.
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
