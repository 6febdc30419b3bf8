import { REQUIRED_PRIVILEGES } from "../../../config/privileges";
import { AccessStore } from "./accessStore";
import { aclNode, newUser } from "./userConfig";

export interface Access {
  rootPassword: string;
  /** The user that owns the token, default `pulumi@pve`. */
  user?: string;
  /** Default `PulumiK3s`. */
  role?: string;
  /** Default `pulumi`. */
  tokenName?: string;
  tokenSecret: string;
  /** Default: what the program needs ({@link REQUIRED_PRIVILEGES}). */
  privileges?: readonly string[];
}

/**
 * Sets up who may use the API: the password of root@pam, a role with the privileges listed, and a user of that role with
 * a privilege-separated API token of the same role, as the README tells a person to do. May be run again.
 *
 * @returns the token as clients want it, `user@realm!name=secret`.
 */
export function createAccess(etcPve: string, access: Access): { apiToken: string } {
  const { user = "pulumi@pve", role = "PulumiK3s", tokenName = "pulumi" } = access;
  const store = new AccessStore(etcPve);
  const tokenId = `${user}!${tokenName}`;
  store.update((config) => {
    const account = config.users.get(user) ?? newUser();
    account.tokens.set(tokenName, { expire: 0, privsep: true, comment: "" });
    config.users.set(user, account);
    config.roles.set(role, new Set(access.privileges ?? Object.keys(REQUIRED_PRIVILEGES)));
    const node = aclNode(config, "/");
    node.users.set(user, new Map([[role, true]]));
    node.tokens.set(tokenId, new Map([[role, true]]));
  });
  store.setPassword("root@pam", access.rootPassword);
  store.setTokenSecret(tokenId, access.tokenSecret);
  return { apiToken: `${tokenId}=${access.tokenSecret}` };
}
