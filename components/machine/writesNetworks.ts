import { isDeepStrictEqual } from "node:util";

import type * as pulumi from "@pulumi/pulumi";

/** The network part of a guest's inputs and state. The interfaces of a virtual machine are devices without a name. */
interface Network {
  readonly networkInterfaces?: readonly { readonly name?: string }[];
  readonly networkDevices?: readonly object[];
  readonly initialization?: { readonly ipConfigs?: readonly unknown[] };
}

/**
 * Whether a change writes a guest's network interfaces. The client writes all of them at once, so interfaces that no refresh has
 * seen would be lost.
 */
export function writesNetworks({ oldInputs = {}, newInputs = {} }: pulumi.ResourceHookArgs): boolean {
  return !isDeepStrictEqual(ownOf(oldInputs), ownOf(newInputs));
}

/** The node's own interface and address come first. A refresh does not put further ones into the old inputs. */
function ownOf({ networkInterfaces, networkDevices, initialization }: Network): unknown {
  // A virtual machine's address is written without its interfaces.
  return networkDevices === undefined ? [networkInterfaces?.[0], initialization?.ipConfigs?.[0]] : networkDevices[0];
}

/**
 * Interfaces that the refresh of this run has seen for the first time: the program had read its state before. The client would
 * remove them; the next run keeps them.
 */
export function unknownNetworks({ newInputs = {}, oldOutputs = {} }: pulumi.ResourceHookArgs): string[] {
  const names = ({ networkInterfaces = [], networkDevices = [] }: Network): string[] => [
    ...networkInterfaces.map(({ name = "" }) => name),
    ...networkDevices.map((_, at) => `net${at}`),
  ];
  return names(oldOutputs).filter((name) => !names(newInputs).includes(name));
}
