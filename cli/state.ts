import { z } from "zod";

import { creationOf } from "../config/mark";
import { pulumi } from "./pulumi";

/** A machine's resource in the state, or one whose operation was cut off. */
export interface StateGuest {
  readonly urn: string;
  readonly name: string;
  readonly vmId: number;
  /** Number of its creation, from its description; empty where it has none. */
  readonly creation: string;
}

/** An operation that a killed run had begun. */
export interface OpenOperation {
  readonly urn: string;
  /** The engine's word: `creating`, `updating`, `deleting` … */
  readonly type: string;
  /** Where it is about a machine. */
  readonly guest?: StateGuest;
}

export interface StackState {
  readonly guests: readonly StateGuest[];
  readonly open: readonly OpenOperation[];
  /** The export as it came. */
  readonly text: string;
}

const resource = z.looseObject({
  urn: z.string(),
  type: z.string(),
  inputs: z.looseObject({ vmId: z.number().optional(), description: z.unknown().optional() }).nullish(),
  outputs: z.looseObject({ description: z.unknown().optional() }).nullish(),
});
const exported = z.object({
  deployment: z.object({
    resources: z.array(resource).nullish(),
    pending_operations: z.array(z.object({ resource, type: z.string() })).nullish(),
  }),
});

/** @param text what `pulumi stack export` printed */
export function parseState(text: string): StackState {
  const { resources, pending_operations: open } = exported.parse(JSON.parse(text)).deployment;
  return {
    guests: (resources ?? []).flatMap((each) => guestOf(each) ?? []),
    open: (open ?? []).map(({ resource: { urn, ...rest }, type }) => {
      const guest = guestOf({ urn, ...rest });
      return { urn, type, ...(guest && { guest }) };
    }),
    text,
  };
}

function guestOf({ urn, type, inputs, outputs }: z.infer<typeof resource>): StateGuest | undefined {
  if (type !== "proxmoxve:index/containerLegacy:ContainerLegacy" || inputs?.vmId === undefined) return undefined;
  // A creation that has ended is described by what the guest says, an open one by what it was asked for.
  const description = outputs?.description ?? inputs.description;
  const creation = typeof description === "string" ? creationOf(description) : "";
  return { urn, name: nameOf(urn), vmId: inputs.vmId, creation };
}

/** Name of a resource. */
export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** URL of the backend that holds the person's stacks. */
export async function backendUrl(): Promise<string> {
  return (JSON.parse(await pulumi(["whoami", "--json"])) as { url: string }).url;
}

export async function exportState(stack: readonly string[]): Promise<StackState> {
  return parseState(await pulumi(["stack", "export", ...stack]));
}

/**
 * Writes the state back without its open operations, which an import always leaves out. Takes the stack's lock.
 * @throws Error in Pulumi's words, for instance when somebody holds the lock
 */
export async function forgetOpenOperations(stack: readonly string[], { text }: StackState): Promise<void> {
  await pulumi(["stack", "import", ...stack], text);
}
