import { decodeText, encodeText } from "../guestConfig";
import { splitList } from "../schema/formats";
import { specialRoles } from "./privileges";

export interface Token {
  /** Seconds since the epoch; 0 never expires. */
  expire: number;
  /** Whether the token has only those of its user's privileges that are also granted to the token. */
  privsep: boolean;
  comment: string;
}

export interface User {
  enable: boolean;
  expire: number;
  firstname: string;
  lastname: string;
  email: string;
  comment: string;
  keys: string;
  readonly tokens: Map<string, Token>;
}

export interface Pool {
  comment: string;
  readonly vms: Set<number>;
  readonly storage: Set<string>;
}

/** Grants at one path: role → propagate, by user, group and token. */
export interface AclNode {
  readonly users: Map<string, Map<string, boolean>>;
  readonly groups: Map<string, Map<string, boolean>>;
  readonly tokens: Map<string, Map<string, boolean>>;
}

/** `/etc/pve/user.cfg`. */
export interface UserConfig {
  readonly users: Map<string, User>;
  readonly groups: Map<string, { comment: string; readonly users: Set<string> }>;
  readonly pools: Map<string, Pool>;
  /** Generated roles included. */
  readonly roles: Map<string, ReadonlySet<string>>;
  /** By normalised path. */
  readonly acl: Map<string, AclNode>;
}

export function newUser(): User {
  return { enable: true, expire: 0, firstname: "", lastname: "", email: "", comment: "", keys: "", tokens: new Map() };
}

/** The grants at a path; makes an empty entry if there is none. */
export function aclNode(config: UserConfig, path: string): AclNode {
  const found = config.acl.get(path) ?? { users: new Map(), groups: new Map(), tokens: new Map() };
  config.acl.set(path, found);
  return found;
}

/** The pool that holds a guest. */
export function poolOf(config: UserConfig, vmid: number): string | undefined {
  return [...config.pools].find(([, pool]) => pool.vms.has(vmid))?.[0];
}

/** `/` and no slash at the end, as ACL paths are kept; undefined if the path has other characters. */
export function normaliseAclPath(path: string): string | undefined {
  const normal = `/${path}`.replace(/\/+/g, "/").replace(/(.)\/$/, "$1");
  return /^[A-Za-z0-9._\-/]+$/.test(normal) ? normal : undefined;
}

/** Reads `user.cfg`. It skips invalid lines, as PVE does; root@pam and the generated roles always exist. */
export function parseUserConfig(text: string): UserConfig {
  const config: UserConfig = {
    users: new Map(),
    groups: new Map(),
    pools: new Map(),
    roles: new Map(specialRoles),
    acl: new Map(),
  };
  for (const line of text.split("\n")) {
    const [kind, ...fields] = line
      .trim()
      .split(":")
      .map((field) => field.trim());
    if (kind) readers[kind]?.(config, fields);
  }
  if (!config.users.has("root@pam")) config.users.set("root@pam", newUser());
  return config;
}

const readers: Record<string, (config: UserConfig, fields: string[]) => void> = {
  user(config, [id = "", enable, expire, firstname = "", lastname = "", email = "", comment = "", keys = ""]) {
    if (!id.includes("@")) return;
    config.users.set(id, {
      enable: enable === "1",
      expire: Number(expire) || 0,
      firstname: decodeText(firstname),
      lastname: decodeText(lastname),
      email,
      comment: decodeText(comment),
      keys,
      tokens: config.users.get(id)?.tokens ?? new Map<string, Token>(),
    });
  },
  token(config, [id = "", expire, privsep, comment = ""]) {
    const [user = "", token = ""] = id.split("!");
    config.users
      .get(user)
      ?.tokens.set(token, { expire: Number(expire) || 0, privsep: privsep === "1", comment: decodeText(comment) });
  },
  group(config, [name = "", users = "", comment = ""]) {
    config.groups.set(name, { comment: decodeText(comment), users: new Set(splitList(users)) });
  },
  pool(config, [name = "", comment = "", vms = "", storage = ""]) {
    config.pools.set(name, {
      comment: decodeText(comment),
      vms: new Set(splitList(vms).map(Number).filter(Boolean)),
      storage: new Set(splitList(storage)),
    });
  },
  role(config, [name = "", privileges = ""]) {
    if (!specialRoles.has(name)) config.roles.set(name, new Set(splitList(privileges)));
  },
  acl(config, [propagate, rawPath = "", members = "", roles = ""]) {
    const path = normaliseAclPath(rawPath);
    if (!path) return;
    const node = aclNode(config, path);
    for (const role of splitList(roles).filter((name) => config.roles.has(name))) {
      for (const member of splitList(members)) grant(node, member, role, propagate === "1");
    }
  },
};

/** Adds one grant; `@name` is a group, `user@realm!name` a token. */
function grant(node: AclNode, member: string, role: string, propagate: boolean): void {
  const isGroup = member.startsWith("@");
  const table = isGroup ? node.groups : member.includes("!") ? node.tokens : node.users;
  const id = isGroup ? member.slice(1) : member;
  table.set(id, (table.get(id) ?? new Map<string, boolean>()).set(role, propagate));
}

/** Writes `user.cfg` in PVE's own order. */
export function printUserConfig(config: UserConfig): string {
  const flag = (value: boolean) => (value ? "1" : "0");
  const users = byName(config.users).flatMap(([id, user]) => [
    `user:${id}:${flag(user.enable)}:${user.expire}:${encodeText(user.firstname)}:${encodeText(user.lastname)}:${user.email}:${encodeText(user.comment)}:${user.keys}:`,
    ...byName(user.tokens).map(
      ([name, token]) => `token:${id}!${name}:${token.expire}:${flag(token.privsep)}:${encodeText(token.comment)}:`,
    ),
  ]);
  const groups = byName(config.groups).map(
    ([name, group]) => `group:${name}:${[...group.users].sort().join(",")}:${encodeText(group.comment)}:`,
  );
  const pools = byName(config.pools).map(
    ([name, pool]) =>
      `pool:${name}:${encodeText(pool.comment)}:${[...pool.vms].sort((a, b) => a - b).join(",")}:${[...pool.storage].sort().join(",")}:`,
  );
  const roles = byName(config.roles)
    .filter(([name]) => !specialRoles.has(name))
    .map(([name, privileges]) => `role:${name}:${[...privileges].sort().join(",")}:`);
  const acl = byName(config.acl).flatMap(([path, node]) =>
    [...prefixed(node.groups, "@"), ...prefixed(node.users, ""), ...prefixed(node.tokens, "")].flatMap(
      ([member, granted]) =>
        [false, true].flatMap((propagate) => {
          const names = [...granted].filter(([, value]) => value === propagate).map(([role]) => role);
          return names.length > 0 ? [`acl:${flag(propagate)}:${path}:${member}:${names.sort().join(",")}:`] : [];
        }),
    ),
  );
  return [users, groups, pools, roles, acl].map((lines) => lines.map((line) => `${line}\n`).join("")).join("\n");
}

function prefixed(table: AclNode["users"], prefix: string): [string, Map<string, boolean>][] {
  return byName(table).map(([id, granted]) => [`${prefix}${id}`, granted]);
}

function byName<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
