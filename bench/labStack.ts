import * as fs from "node:fs";
import { parse } from "yaml";
import type { Lab } from "../tests/support/lab";

const KEY = "proxmox-k3s:cluster";

/** The lab's stack file, as far as the bench reads or changes it. */
export interface LabStack {
  readonly config: {
    readonly [KEY]: {
      readonly version: string;
      readonly network: { readonly gateway: string };
      readonly ssh: { readonly authorizedKeys: readonly string[] };
      readonly pools: { readonly worker: { count: number } };
    };
  };
}

export function readLabStack(lab: Lab): LabStack {
  return parse(fs.readFileSync(`Pulumi.${lab.stack}.yaml`, "utf8")) as LabStack;
}

export function clusterOf(stack: LabStack): LabStack["config"][typeof KEY] {
  return stack.config[KEY];
}
