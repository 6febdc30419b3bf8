import { allPrivileges, specialRoles } from "../access/privileges";
import { failure, parameterError } from "../errors";
import type { Call, Endpoint } from "../http/endpoint";
import { splitList } from "../schema/formats";
import { optional, required } from "../schema/schema";

const roleid = required("string", { format: "pve-roleid" });
const privs = optional("string", { format: "pve-priv-list" });
const modifyRoles = { path: "/access", privileges: ["Sys.Modify"] };

/** Roles. */
export const roleEndpoints: readonly Endpoint[] = [
  { method: "GET", path: "/access/roles", parameters: {}, permission: "all", handle: listRoles },
  { method: "POST", path: "/access/roles", parameters: { roleid, privs }, permission: modifyRoles, handle: createRole },
  {
    method: "GET",
    path: "/access/roles/{roleid}",
    parameters: { roleid },
    permission: "all",
    handle: ({ node, params }) =>
      Object.fromEntries([...existingRole(node, params["roleid"]!)].map((privilege) => [privilege, 1])),
  },
  {
    method: "PUT",
    path: "/access/roles/{roleid}",
    parameters: { roleid, privs, append: optional("boolean", { requires: "privs" }) },
    permission: modifyRoles,
    handle: ({ node, params }) => {
      const role = params["roleid"]!;
      if (specialRoles.has(role)) throw failure(`auto-generated role '${role}' cannot be modified`);
      const kept = params["append"] === "1" ? [...existingRole(node, role)] : (existingRole(node, role), []);
      node.access.update((config) => config.roles.set(role, new Set([...kept, ...validPrivileges(params["privs"])])));
    },
  },
  {
    method: "DELETE",
    path: "/access/roles/{roleid}",
    parameters: { roleid },
    permission: modifyRoles,
    handle: ({ node, params }) => {
      const role = params["roleid"]!;
      if (specialRoles.has(role)) throw failure(`auto-generated role '${role}' cannot be deleted`);
      existingRole(node, role);
      node.access.update((config) => config.roles.delete(role));
    },
  },
];

function listRoles({ node }: Call): unknown {
  return [...node.access.read().roles].map(([name, privileges]) => ({
    roleid: name,
    privs: [...privileges].sort().join(","),
    special: specialRoles.has(name) ? 1 : 0,
  }));
}

function createRole({ node, params }: Call): void {
  const role = params["roleid"]!;
  if (/^PVE/i.test(role))
    throw parameterError({ roleid: "cannot use role ID starting with the (case-insensitive) 'PVE' namespace" });
  node.access.update((config) => {
    if (config.roles.has(role)) throw failure(`role '${role}' already exists`);
    config.roles.set(role, new Set(validPrivileges(params["privs"])));
  });
}

function existingRole(node: Call["node"], name: string): ReadonlySet<string> {
  const role = node.access.read().roles.get(name);
  if (!role) throw failure(`role '${name}' does not exist`);
  return role;
}

function validPrivileges(list: string | undefined): string[] {
  const names = splitList(list);
  const unknown = names.find((name) => !allPrivileges.has(name));
  if (unknown) throw failure(`invalid privilege '${unknown}'`);
  return names;
}
