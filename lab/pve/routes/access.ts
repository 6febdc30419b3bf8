import { root } from "../access/permissions";
import { aclNode, newUser, normaliseAclPath, type AclNode } from "../access/userConfig";
import { ApiError, failure, parameterError, permissionDenied } from "../errors";
import type { Call, Endpoint } from "../http/endpoint";
import { splitList } from "../schema/formats";
import { optional, required } from "../schema/schema";
import { flag, text, userid } from "./parameters";

const userFields = {
  enable: flag,
  expire: optional("integer", { minimum: 0 }),
  firstname: optional("string", { maxLength: 1024 }),
  lastname: optional("string", { maxLength: 1024 }),
  email: optional("string", { format: "email-opt", maxLength: 254 }),
  comment: optional("string", { maxLength: 2048 }),
  keys: optional("string", { pattern: /^[0-9a-zA-Z!=]{0,4096}$/ }),
  groups: optional("string", { format: "pve-groupid-list" }),
};
const modifyUsers = { path: "/access/groups", privileges: ["User.Modify"] };

/** Tickets, users, ACL. */
export const accessEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/access/domains",
    parameters: {},
    permission: "world",
    handle: () => [
      { realm: "pam", type: "pam", comment: "Linux PAM standard authentication" },
      { realm: "pve", type: "pve", comment: "Proxmox VE authentication server" },
    ],
  },
  { method: "GET", path: "/access/ticket", parameters: {}, permission: "world", handle: () => null },
  {
    method: "POST",
    path: "/access/ticket",
    parameters: {
      username: required("string", { maxLength: 64 }),
      realm: optional("string", { format: "pve-realm", maxLength: 32 }),
      password: required("string"),
      otp: text,
      path: optional("string", { maxLength: 64, requires: "privs" }),
      privs: optional("string", { format: "pve-priv-list", maxLength: 64, requires: "path" }),
      "new-format": flag,
      "tfa-challenge": text,
    },
    permission: "world",
    allowToken: false,
    handle: createTicket,
  },
  {
    method: "GET",
    path: "/access/permissions",
    parameters: { userid: text, path: text },
    permission: "all",
    handle: effectivePermissions,
  },
  {
    method: "GET",
    path: "/access/users",
    parameters: { enabled: flag, full: flag },
    permission: "all",
    handle: listUsers,
  },
  {
    method: "POST",
    path: "/access/users",
    parameters: { userid, password: optional("string", { minLength: 8, maxLength: 64 }), ...userFields },
    permission: modifyUsers,
    handle: createUser,
  },
  {
    method: "GET",
    path: "/access/users/{userid}",
    parameters: { userid },
    permission: modifyUsers,
    handle: ({ node, params }) => {
      const { tokens, ...user } = existingUser(node, params["userid"]!);
      const entries = [...tokens].map(([name, token]) => [name, { ...token, privsep: token.privsep ? 1 : 0 }] as const);
      return { ...present(user), groups: [], ...(entries.length > 0 && { tokens: Object.fromEntries(entries) }) };
    },
  },
  {
    method: "DELETE",
    path: "/access/users/{userid}",
    parameters: { userid },
    permission: modifyUsers,
    handle: ({ node, params }) =>
      node.access.update((config) => {
        const id = params["userid"]!;
        config.users.delete(id);
        for (const group of config.groups.values()) group.users.delete(id);
        for (const grants of config.acl.values()) grants.users.delete(id);
      }),
  },
  { method: "GET", path: "/access/acl", parameters: {}, permission: "all", handle: listAcl },
  {
    method: "PUT",
    path: "/access/acl",
    parameters: {
      path: required("string"),
      propagate: flag,
      users: optional("string", { format: "pve-userid-list" }),
      groups: optional("string", { format: "pve-groupid-list" }),
      tokens: optional("string", { format: "pve-tokenid-list" }),
      roles: required("string", { format: "pve-roleid-list" }),
      delete: flag,
    },
    permission: ({ node, user, params }) =>
      node.access.permissions().checkModify(user, normaliseAclPath(params["path"] ?? "") ?? "/"),
    handle: updateAcl,
  },
];

/** Every failure has the same answer, so that nobody learns which users exist. */
function createTicket({ node, params }: Call): unknown {
  const user = params["realm"] ? `${params["username"]}@${params["realm"]}` : params["username"]!;
  try {
    const owner = ticketOwner(node, params["password"]!);
    if (owner !== root && owner !== user) node.access.checkPassword(user, params["password"]!);
    const path = params["path"] && normaliseAclPath(params["path"]);
    if (path) {
      if (!node.access.permissions().has(user, path, splitList(params["privs"]))) throw new Error("no permission");
      return { username: user, cap: capabilities(node, user) };
    }
  } catch {
    throw new ApiError(401, "authentication failure");
  }
  const { ticket, csrfPreventionToken } = node.access.createTicket(user);
  return { username: user, ticket, CSRFPreventionToken: csrfPreventionToken, cap: capabilities(node, user) };
}

/** A valid ticket may replace the password: that renews a session. */
function ticketOwner(node: Call["node"], ticket: string): string | undefined {
  try {
    return node.access.verifyTicket(ticket);
  } catch {
    return undefined;
  }
}

const capabilityAreas: Readonly<Record<string, RegExp>> = {
  vms: /^(VM\.|Permissions\.Modify)/,
  access: /^((User|Group)\.|Permissions\.Modify)/,
  storage: /^(Datastore\.|Permissions\.Modify)/,
  nodes: /^(Sys\.|Permissions\.Modify)/,
  sdn: /^(SDN\.|Permissions\.Modify)/,
  dc: /^(Sys\.Audit|Sys\.Modify|SDN\.)/,
  mapping: /^(Mapping\.|Permissions\.Modify)/,
};

/** What the web interface may offer, by area. */
function capabilities(node: Call["node"], user: string): Record<string, Record<string, 1>> {
  const permissions = node.access.permissions();
  const paths = [
    "/",
    "/nodes",
    "/access/groups",
    "/vms",
    "/storage",
    "/sdn",
    "/mapping",
    ...node.access.read().acl.keys(),
  ];
  const result: Record<string, Record<string, 1>> = Object.fromEntries(
    Object.keys(capabilityAreas).map((area) => [area, {}]),
  );
  for (const path of new Set(paths)) {
    const area = /^\/(\w+)/.exec(path)?.[1] ?? "dc";
    const wanted = capabilityAreas[area];
    for (const privilege of permissions.at(user, path).keys())
      if (wanted?.test(privilege)) result[area]![privilege] = 1;
  }
  return result;
}

function effectivePermissions({ node, user, params }: Call): unknown {
  const permissions = node.access.permissions();
  const subject = params["userid"] ?? user;
  if (subject !== user && subject.split("!")[0] !== user) permissions.check(user, "/access", ["Sys.Audit"]);
  const standard = ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"];
  const paths = params["path"] ? [params["path"]] : [...standard, ...node.access.read().acl.keys()];
  const entries = [...new Set(paths)].map((path) => {
    const held = [...permissions.at(subject, path)].map(([name, propagate]) => [name, propagate ? 1 : 0] as const);
    return [path, Object.fromEntries(held)] as const;
  });
  return Object.fromEntries(entries.filter(([path, held]) => params["path"] === path || Object.keys(held).length > 0));
}

function listUsers({ node, user }: Call): unknown {
  const permissions = node.access.permissions();
  const seesAll = permissions.has(user, "/access/groups", ["User.Modify", "Sys.Audit"], true);
  return [...node.access.read().users]
    .filter(([id]) => seesAll || id === user)
    .map(([id, { tokens: _tokens, ...entry }]) => ({ userid: id, ...present(entry), "realm-type": id.split("@")[1] }));
}

function createUser({ node, params }: Call): void {
  const id = params["userid"]!;
  node.access.update((config) => {
    if (config.users.has(id)) throw failure(`user '${id}' already exists`);
    const created = newUser();
    config.users.set(id, {
      ...created,
      enable: params["enable"] !== "0",
      expire: Number(params["expire"] ?? 0),
      firstname: params["firstname"] ?? "",
      lastname: params["lastname"] ?? "",
      email: params["email"] ?? "",
      comment: params["comment"] ?? "",
      keys: params["keys"] ?? "",
    });
    for (const group of splitList(params["groups"])) {
      const found = config.groups.get(group);
      if (!found) throw failure(`no such group '${group}'`);
      found.users.add(id);
    }
  });
  if (params["password"] !== undefined) node.access.setPassword(id, params["password"]);
}

export function existingUser(node: Call["node"], id: string) {
  const user = node.access.read().users.get(id);
  if (!user) throw failure(`no such user ('${id}')`);
  return user;
}

/** Fields that are set, flags as numbers. */
function present(fields: Record<string, string | number | boolean>): Record<string, string | number> {
  const shown = Object.entries(fields).filter(([, value]) => value !== "");
  return Object.fromEntries(shown.map(([key, value]) => [key, typeof value === "boolean" ? Number(value) : value]));
}

function listAcl({ node, user }: Call): unknown {
  const permissions = node.access.permissions();
  const seesAll = permissions.has(user, "/access", ["Sys.Audit"]);
  const maySee = (path: string) => seesAll || permissions.has(user, path, ["Permissions.Modify"]);
  const grants = (path: string, type: string, table: AclNode["users"]) =>
    [...table].flatMap(([ugid, roles]) =>
      [...roles].map(([roleid, propagate]) => ({ path, type, ugid, roleid, propagate: propagate ? 1 : 0 })),
    );
  return [...node.access.read().acl]
    .filter(([path]) => maySee(path))
    .flatMap(([path, { users, groups, tokens }]) => [
      ...grants(path, "user", users),
      ...grants(path, "group", groups),
      ...grants(path, "token", tokens),
    ]);
}

function updateAcl({ node, user, params }: Call): void {
  const problem = "either 'users', 'groups' or 'tokens' is required.";
  if (!params["users"] && !params["groups"] && !params["tokens"])
    throw parameterError({ users: problem, groups: problem, tokens: problem });
  const path = normaliseAclPath(params["path"]!);
  if (!path) throw parameterError({ path: `invalid ACL path '${params["path"]}'` });
  // In PVE, whoever has an area's own privilege may also grant a part of its rights. Nothing here uses that.
  if (!node.access.permissions().has(user, path, ["Permissions.Modify"]))
    throw permissionDenied(`${path}, Permissions.Modify`);
  node.access.update((config) => {
    const grants = aclNode(config, path);
    const members = [
      ...splitList(params["users"]).map((id) => ({
        id,
        table: grants.users,
        known: config.users.has(id),
        kind: "user",
      })),
      ...splitList(params["groups"]).map((id) => ({
        id,
        table: grants.groups,
        known: config.groups.has(id),
        kind: "group",
      })),
      ...splitList(params["tokens"]).map((id) => {
        const [owner = "", name = ""] = id.split("!");
        return { id, table: grants.tokens, known: config.users.get(owner)?.tokens.has(name), kind: "token" };
      }),
    ];
    for (const role of splitList(params["roles"])) {
      if (!config.roles.has(role)) throw failure(`role '${role}' does not exist`);
      for (const { id, table, known, kind } of members) {
        if (!known) throw failure(`${kind} '${id}' does not exist`);
        const granted = table.get(id) ?? new Map<string, boolean>();
        if (params["delete"] === "1") granted.delete(role);
        else granted.set(role, params["propagate"] !== "0");
        table.set(id, granted);
      }
    }
  });
}
