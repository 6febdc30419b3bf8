import {
  DOWNLOAD_ROLE,
  HOST_ROLE,
  IMAGE_ROLE,
  nodePath,
  POOL_ROLE,
  poolPath,
  type Role,
  STORAGE_ROLE,
  storagePath,
  TEMPLATE_ROLE,
  templatePath,
  VM_ROLE,
} from "../../../plan/privileges";
import { AccessStore } from "./accessStore";
import { aclNode, newUser } from "./userConfig";

/** A role at a path of Proxmox VE's access control. */
export interface Grant {
  readonly path: string;
  readonly role: Role;
}

export interface Access {
  rootPassword: string;
  /** The user that owns the token, default `pulumi@pve`. */
  user?: string;
  /** Default `pulumi`. */
  tokenName?: string;
  tokenSecret: string;
  grants: readonly Grant[];
}

/**
 * What docs/by-hand.md tells a person to grant for a cluster whose guests are in this resource pool.
 *
 * @param templates VMIDs of the templates of its virtual machines.
 * @param images storages of the images that are downloaded for its virtual machines.
 */
export const readmeGrants = (
  pool: string,
  templates: readonly number[] = [],
  images: readonly string[] = [],
): Grant[] => [
  { path: poolPath(pool), role: POOL_ROLE },
  { path: "/", role: HOST_ROLE },
  ...(templates.length + images.length > 0
    ? [
        { path: poolPath(pool), role: VM_ROLE },
        { path: "/", role: STORAGE_ROLE },
      ]
    : []),
  ...templates.map((vmid) => ({ path: templatePath(vmid), role: TEMPLATE_ROLE })),
  ...images.map((storage) => ({ path: storagePath(storage), role: IMAGE_ROLE })),
  ...(images.length > 0 ? [{ path: nodePath("pve"), role: DOWNLOAD_ROLE }] : []),
];

/**
 * Sets up who may use the API: the password of root@pam, and a user and its privilege-separated API token, both with the
 * grants. Pools and roles of the grants are made. May be run again.
 *
 * @returns the token as clients want it, `user@realm!name=secret`.
 */
export function createAccess(etcPve: string, access: Access): { apiToken: string } {
  const { user = "pulumi@pve", tokenName = "pulumi", grants } = access;
  const store = new AccessStore(etcPve);
  store.update((config) => {
    const account = config.users.get(user) ?? newUser();
    account.tokens.set(tokenName, { expire: 0, privsep: true, comment: "" });
    config.users.set(user, account);
  });
  const tokenId = `${user}!${tokenName}`;
  grant(etcPve, tokenId, grants);
  store.setPassword("root@pam", access.rootPassword);
  store.setTokenSecret(tokenId, access.tokenSecret);
  return { apiToken: `${tokenId}=${access.tokenSecret}` };
}

/** Adds grants to a token and its user, and makes the pools and roles that they need. @param tokenId `user@realm!name` */
export function grant(etcPve: string, tokenId: string, grants: readonly Grant[]): void {
  const user = tokenId.slice(0, tokenId.indexOf("!"));
  new AccessStore(etcPve).update((config) => {
    for (const { path, role } of grants) {
      const [, pool] = /^\/pool\/(.+)/.exec(path) ?? [];
      if (pool !== undefined && !config.pools.has(pool))
        config.pools.set(pool, { comment: "", vms: new Set(), storage: new Set() });
      config.roles.set(role.name, new Set(role.privileges));
      const node = aclNode(config, path);
      node.users.set(user, new Map(node.users.get(user)).set(role.name, true));
      node.tokens.set(tokenId, new Map(node.tokens.get(tokenId)).set(role.name, true));
    }
  });
}
