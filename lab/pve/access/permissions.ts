import { permissionDenied } from "../errors";
import { allPrivileges } from "./privileges";
import { poolOf, type AclNode, type UserConfig } from "./userConfig";

/** The one user without limits. A token of root (`root@pam!name`) is not that user. */
export const root = "root@pam";

/** What a user or token may do, computed from `user.cfg` as `PVE::RPCEnvironment` does. */
export class Permissions {
  constructor(private readonly config: UserConfig) {}

  /**
   * Privileges at a path, each with whether it propagates. A privilege-separated token has only those that its user has
   * at that path too.
   */
  at(subject: string, path: string): ReadonlyMap<string, boolean> {
    if (subject === root) return new Map([...allPrivileges].map((privilege) => [privilege, true]));
    const [user = "", tokenName] = subject.split("!");
    if (tokenName === undefined) return this.granted(subject, path);
    const token = this.config.users.get(user)?.tokens.get(tokenName);
    if (!token) return new Map();
    const ofUser = this.at(user, path);
    if (!token.privsep) return ofUser;
    return new Map([...this.granted(subject, path)].filter(([privilege]) => ofUser.has(privilege)));
  }

  has(subject: string, path: string, privileges: readonly string[], any = false): boolean {
    const held = this.at(subject, path);
    return any ? privileges.some((name) => held.has(name)) : privileges.every((name) => held.has(name));
  }

  /** @throws ApiError 403 that names the path and the first missing privilege, or all of them if any one is enough. */
  check(subject: string, path: string, privileges: readonly string[], any = false): void {
    const held = this.at(subject, path);
    const missing = privileges.filter((name) => !held.has(name));
    if (any ? missing.length === privileges.length : missing.length > 0)
      throw permissionDenied(`${path}, ${any ? privileges.join("|") : missing[0]}`);
  }

  /** A guest's privileges may come from the pool that it is created in. */
  checkGuest(subject: string, vmid: number, pool: string | undefined, privileges: readonly string[]): void {
    if (pool !== undefined && this.has(subject, `/pool/${pool}`, privileges)) return;
    this.check(subject, `/vms/${vmid}`, privileges);
  }

  /** Whether `subject` may grant rights at a path, by `Permissions.Modify` or the area's own privilege. */
  checkModify(subject: string, path: string): void {
    const area = /^\/(storage|vms|pool)\/./.exec(path)?.[1];
    const own = { storage: "Datastore.Allocate", vms: "VM.Allocate", pool: "Pool.Allocate" }[area ?? ""];
    this.check(subject, path, ["Permissions.Modify", ...(own ? [own] : [])], true);
  }

  /** Privileges from the ACL only, those of the guest's or storage's pool included. */
  private granted(subject: string, path: string): Map<string, boolean> {
    const roles = this.roles(subject, path);
    const pool = this.poolRoles(subject, path);
    if (!roles.has("NoAccess")) {
      if (pool.has("NoAccess")) roles.clear();
      else for (const role of pool.keys()) if (!roles.has(role)) roles.set(role, false);
    }
    const privileges = new Map<string, boolean>();
    for (const [role, propagate] of roles) {
      for (const name of this.config.roles.get(role) ?? [])
        privileges.set(name, (privileges.get(name) ?? false) || propagate);
    }
    return privileges;
  }

  /** The roles at a path: the deepest grant on the path counts, a token's before a user's before a group's. */
  private roles(subject: string, path: string): Map<string, boolean> {
    const steps = path.split("/").filter(Boolean);
    let roles = new Map<string, boolean>();
    for (let depth = 0; depth <= steps.length; depth++) {
      const node = this.config.acl.get(`/${steps.slice(0, depth).join("/")}`);
      const found = node && this.rolesAt(node, subject, depth === steps.length);
      if (found) roles = found;
    }
    return roles.has("NoAccess") ? new Map([["NoAccess", true]]) : roles;
  }

  private rolesAt(node: AclNode, subject: string, isFinal: boolean): Map<string, boolean> | undefined {
    const applicable = (granted: ReadonlyMap<string, boolean> | undefined) => {
      const roles = new Map([...(granted ?? [])].filter(([, propagate]) => isFinal || propagate));
      return roles.size > 0 ? roles : undefined;
    };
    const ofGroups = [...node.groups]
      .filter(([group]) => this.config.groups.get(group)?.users.has(subject))
      .flatMap(([, granted]) => [...granted]);
    return applicable(node.tokens.get(subject)) ?? applicable(node.users.get(subject)) ?? applicable(new Map(ofGroups));
  }

  private poolRoles(subject: string, path: string): ReadonlyMap<string, boolean> {
    const [, area, id = ""] = /^\/(vms|storage)\/([^/]+)$/.exec(path) ?? [];
    if (area === "vms") {
      const pool = poolOf(this.config, Number(id));
      return pool === undefined ? new Map() : this.roles(subject, `/pool/${pool}`);
    }
    if (area !== "storage") return new Map();
    const pools = [...this.config.pools].filter(([, pool]) => pool.storage.has(id));
    return new Map(pools.flatMap(([name]) => [...this.roles(subject, `/pool/${name}`)]));
  }
}
