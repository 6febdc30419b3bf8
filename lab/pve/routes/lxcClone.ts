import { permissionDenied } from "../errors";
import { cloneGuest } from "../guests/clone";
import type { Call, Endpoint } from "../http/endpoint";
import { optional } from "../schema/schema";
import { flag, onGuest, optionalStorage, text, vmid } from "./parameters";

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
      snapname: optional("string", { format: "pve-configid", maxLength: 40 }),
      storage: optionalStorage,
      full: flag,
      target: optional("string", { format: "pve-node" }),
      bwlimit: optional("number", { minimum: 0 }),
    },
    permission: checkMayClone,
    handle: ({ node, user, params }) => cloneGuest(node, user, params),
  },
];

/** The right to copy the source, and to create the copy: by its VMID or by the pool that it goes to. */
function checkMayClone({ node, user, params }: Call): void {
  const { vmid: source, newid, pool } = params;
  const permissions = node.access.permissions();
  permissions.check(user, `/vms/${source}`, ["VM.Clone"]);
  const places = [`/vms/${newid ?? ""}`, ...(pool === undefined ? [] : [`/pool/${pool}`])];
  if (!places.some((place) => permissions.has(user, place, ["VM.Allocate"]))) throw permissionDenied();
}
