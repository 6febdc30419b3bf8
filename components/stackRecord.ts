import * as pulumi from "@pulumi/pulumi";

import type { ClusterRecord } from "../plan/record";
import { recordIn } from "./recordIn";
import { type RecordedRegistries, registriesIn } from "./registryChanges";
import { type RepairRecord, repairRecordIn } from "./repairRecordIn";
import { resources } from "./stateResources";

/** The engine's own function that reads the resources in a stack's state: type and outputs by URN. */
const READ = "pulumi:pulumi:readStackResourceOutputs";

export interface StackRecord {
  readonly former: ClusterRecord;
  readonly repaired: RepairRecord;
  /** By node; a secret. */
  readonly registries: ReadonlyMap<string, RecordedRegistries>;
}

/**
 * What the stack's state records of its cluster. It is what was applied, not what was requested: a run that failed half-way
 * counts for the nodes that it reached. This needs only the state, not Proxmox VE or the cluster.
 * @throws Error if the state cannot be read
 */
export async function readStackRecord(): Promise<StackRecord> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  const answer = (await pulumi.runtime.invoke(READ, { stackName })) as { readonly outputs?: unknown };
  const state = resources.parse(answer.outputs);
  return { former: recordIn(state), repaired: repairRecordIn(state), registries: registriesIn(state) };
}
