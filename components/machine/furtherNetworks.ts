import { isDeepStrictEqual } from "node:util";

import type * as pulumi from "@pulumi/pulumi";
import * as runtimeState from "@pulumi/pulumi/runtime/state";

/** What the CLI and the stack's backend can do; the SDK knows it and has no public word for it. */
const { getStore } = runtimeState as unknown as {
  readonly getStore: () => { readonly supportsStateMigrations: boolean };
};

/** The bridged provider's own notes on how its record differs from these values, element by element. */
const NOTES = "__pulumi_raw_state_delta";
const LISTS: readonly string[] = ["networkInterfaces", "ipConfigs"];

/** What a state holds of a container's network, as far as it matters here. */
interface ContainerOutputs {
  readonly [NOTES]?: unknown;
  readonly networkInterfaces?: readonly unknown[];
  readonly initialization?: { readonly ipConfigs?: readonly unknown[] };
}

/**
 * Lets the state forget the network interfaces that people added to a container: a refresh takes them in, and then the
 * client would take them away and reboot. `ignoreChanges` cannot say "all but the first", as the provider counts a list's
 * length for itself. A state migration runs before each comparison, in the preview too, and changes the record alone.
 *
 * Not every backend of Pulumi can keep one; there the claim refuses the change instead (`scripts/host/claim.sh`).
 */
export function forgetFurtherNetworks(): pulumi.StateMigration[] {
  return getStore().supportsStateMigrations ? [({ oldState }) => withoutFurther(oldState)] : [];
}

/** @returns undefined where there is nothing to forget */
export function withoutFurther(state: Record<string, unknown>[]): pulumi.StateMigrationResult | undefined {
  const [container, ...below] = state;
  const { networkInterfaces = [], initialization = {}, ...others } = (container?.["outputs"] ?? {}) as ContainerOutputs;
  if (networkInterfaces.length <= 1) return undefined;
  const outputs = {
    ...others,
    networkInterfaces: networkInterfaces.slice(0, 1),
    initialization: { ...initialization, ipConfigs: (initialization.ipConfigs ?? []).slice(0, 1) },
    ...(others[NOTES] === undefined ? {} : { [NOTES]: notesOfFirst(others[NOTES]) }),
  };
  return { newState: [{ ...container, outputs }, ...below] };
}

/** Without what they say of later elements of {@link LISTS}; they fit no shorter list. */
function notesOfFirst(notes: unknown, isList = false): unknown {
  if (typeof notes !== "object" || notes === null || Array.isArray(notes)) return notes;
  const kept = Object.entries(notes).filter(([key]) => !isList || !/^[1-9]\d*$/.test(key));
  return Object.fromEntries(kept.map(([key, inner]) => [key, notesOfFirst(inner, isList || LISTS.includes(key))]));
}

/** Whether the client, which writes all interfaces of a guest at once, would write them with this change. */
export function writesNetworks(change: pulumi.ResourceHookArgs): boolean {
  const [before, after] = [change.oldInputs, change.newInputs].map(networkOf);
  const known = ((change.oldOutputs ?? {}) as ContainerOutputs).networkInterfaces?.length ?? 1;
  return !isDeepStrictEqual(before, after) || known > 1;
}

function networkOf(inputs: Record<string, unknown> = {}): unknown {
  const { networkInterfaces, initialization } = inputs as ContainerOutputs;
  return [networkInterfaces, initialization?.ipConfigs];
}
