import { isDeepStrictEqual } from "node:util";

import type * as pulumi from "@pulumi/pulumi";

/** What the inputs and the state of a container hold of its network. */
interface Network {
  readonly networkInterfaces?: readonly { readonly name?: string }[];
  readonly initialization?: { readonly ipConfigs?: readonly unknown[] };
}

/**
 * Whether a change writes a guest's network interfaces. The client writes all of them at once, so those that no refresh has
 * seen would be lost.
 */
export function writesNetworks({ oldInputs = {}, newInputs = {} }: pulumi.ResourceHookArgs): boolean {
  return !isDeepStrictEqual(ownOf(oldInputs), ownOf(newInputs));
}

/** The node's own interface and address come first; a refresh puts no further ones into the old inputs. */
function ownOf({ networkInterfaces, initialization }: Network): unknown {
  return [networkInterfaces?.[0], initialization?.ipConfigs?.[0]];
}

/**
 * Interfaces that the refresh of this very run has seen for the first time: the program read its state before. The client
 * would take them away; the next run hands them back.
 */
export function unknownNetworks({ newInputs = {}, oldOutputs = {} }: pulumi.ResourceHookArgs): string[] {
  const names = ({ networkInterfaces = [] }: Network): string[] => networkInterfaces.map(({ name = "" }) => name);
  return names(oldOutputs).filter((name) => !names(newInputs).includes(name));
}
