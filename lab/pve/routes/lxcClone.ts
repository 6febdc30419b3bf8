import { cloneGuest } from "../guests/clone";
import type { Endpoint } from "../http/endpoint";
import { optional } from "../schema/schema";
import { checkMayClone, flag, onGuest, optionalStorage, snapshotName, text, vmid } from "./parameters";

/** Copies of containers. */
export const lxcCloneEndpoints: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/nodes/{node}/lxc/{vmid}/clone",
    parameters: {
      ...onGuest,
      newid: vmid,
      hostname: optional("string", { format: "dns-name" }),
      description: text,
      pool: optional("string", { format: "pve-poolid" }),
      snapname: snapshotName,
      storage: optionalStorage,
      full: flag,
      target: optional("string", { format: "pve-node" }),
      bwlimit: optional("number", { minimum: 0 }),
    },
    permission: checkMayClone,
    handle: ({ node, user, params }) => cloneGuest(node.lxc, user, params),
  },
];
