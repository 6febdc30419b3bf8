import { z } from "zod";

import { recordIn } from "../components/recordIn";
import { kindOfResource } from "../plan/machineKinds";
import { markText } from "../plan/mark";
import type { ClusterRecord } from "../plan/record";
import { clusterStepName } from "../plan/steps";
import { ANCHOR_TYPE, nameOf } from "../plan/urn";
import { pulumi } from "./pulumi";

/** A machine's resource in the state. */
export interface StateGuest {
  readonly urn: string;
  readonly name: string;
  readonly vmId: number;
}

/** A pending operation: an interrupted run had started it. */
export interface OpenOperation {
  readonly urn: string;
  /** The engine's word: `creating`, `updating`, `deleting` … */
  readonly type: string;
}

export interface StackState {
  readonly guests: readonly StateGuest[];
  readonly open: readonly OpenOperation[];
  /** The mark of a cluster's guests; undefined before its first `up`. */
  mark(cluster: string): string | undefined;
  /** The cluster in the state, without resources that were replaced and are still to be deleted. */
  readonly record: () => ClusterRecord;
  /** The export, unchanged. */
  readonly text: string;
}

const resource = z.looseObject({
  urn: z.string(),
  type: z.string(),
  inputs: z.looseObject({ vmId: z.number().optional() }).nullish(),
  outputs: z.looseObject({ hex: z.unknown().optional() }).nullish(),
  /** It was replaced and is still to be deleted. */
  delete: z.boolean().nullish(),
});
const exported = z.object({
  deployment: z.object({
    resources: z.array(resource).nullish(),
    pending_operations: z.array(z.object({ resource, type: z.string() })).nullish(),
  }),
});

/** @param text the output of `pulumi stack export` */
export function parseState(text: string): StackState {
  const { deployment } = exported.parse(JSON.parse(text));
  const [resources, open] = [deployment.resources ?? [], deployment.pending_operations ?? []];
  return {
    guests: resources.flatMap((each) => guestOf(each) ?? []),
    mark: (cluster) => {
      const name = clusterStepName(cluster, "anchor");
      const anchor = resources.find(({ urn, type }) => type === ANCHOR_TYPE && nameOf(urn) === name);
      const [stackUrn = "", project = ""] = anchor?.urn.split("::") ?? [];
      const clusterId = anchor?.outputs?.hex;
      if (typeof clusterId !== "string") return undefined;
      return markText({ project, stack: stackUrn.replace(/^urn:pulumi:/, ""), cluster, clusterId });
    },
    open: open.map(({ resource: { urn }, type }) => ({ urn, type })),
    record: () => {
      const standing = resources.filter((each) => each.delete !== true);
      return recordIn(
        Object.fromEntries(standing.map(({ urn, type, outputs }) => [urn, { type, outputs: outputs ?? {} }])),
      );
    },
    text,
  };
}

function guestOf({ urn, type, inputs }: z.infer<typeof resource>): StateGuest | undefined {
  if (kindOfResource(type) === undefined || inputs?.vmId === undefined) return undefined;
  return { urn, name: nameOf(urn), vmId: inputs.vmId };
}

/** URL of the backend that has the user's stacks. */
export async function backendUrl(): Promise<string> {
  return (JSON.parse(await pulumi(["whoami", "--json"])) as { url: string }).url;
}

export async function exportState(stack: readonly string[]): Promise<StackState> {
  return parseState(await pulumi(["stack", "export", ...stack]));
}

/**
 * Writes a state, without its pending operations: `pulumi stack import` always drops them. Takes the stack's lock.
 * @param text as `pulumi stack export` prints it
 * @throws Error with Pulumi's own message, for example if another run holds the lock
 */
export async function writeState(stack: readonly string[], text: string): Promise<void> {
  await pulumi(["stack", "import", ...stack], text);
}
