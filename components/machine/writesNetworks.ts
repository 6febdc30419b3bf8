import { isDeepStrictEqual } from "node:util";

import type * as pulumi from "@pulumi/pulumi";

/** What the inputs and the state of a container hold of its network. */
interface Network {
  readonly networkInterfaces?: readonly unknown[];
  readonly initialization?: { readonly ipConfigs?: readonly unknown[] };
}

/**
 * Whether the client would write a guest's network interfaces with this change. It writes all of them at once, so that those
 * which no refresh has seen would be lost.
 */
export function writesNetworks({ oldInputs = {}, newInputs = {}, oldOutputs = {} }: pulumi.ResourceHookArgs): boolean {
  const { networkInterfaces: wanted = [] } = newInputs as Network;
  const { networkInterfaces: known = [] } = oldOutputs as Network;
  return !isDeepStrictEqual(ownOf(oldInputs), ownOf(newInputs)) || known.length > wanted.length;
}

/** The node's own interface and address come first; a refresh puts no further ones into the old inputs. */
function ownOf({ networkInterfaces, initialization }: Network): unknown {
  return [networkInterfaces?.[0], initialization?.ipConfigs?.[0]];
}
