import { AccessStore } from "./accessStore";
import { aclNode, newUser } from "./userConfig";

/**
 * The least privileges with which the Proxmox client creates, changes and deletes a privileged container, each with the
 * check that asks for it. All are granted at `/`, because `Sys.Modify` is asked for there.
 */
export const requiredPrivileges: Readonly<Record<string, string>> = {
  "VM.Allocate": "create and destroy a container; change its nesting",
  "VM.Audit": "read its configuration, status and addresses",
  "VM.PowerMgmt": "start, shut down, reboot",
  "VM.Config.CPU": "cores, cpulimit, cpuunits",
  "VM.Config.Memory": "memory, swap",
  "VM.Config.Disk": "rootfs and its size",
  "VM.Config.Network": "network interfaces, hostname, DNS",
  "VM.Config.Options": "description, tags, start at boot, protection, console, operating system type",
  "Datastore.AllocateSpace": "the disk on its datastore; reading the template from its own",
  "SDN.Use": "attaching to a bridge",
  "Sys.Modify": "at / for a privileged container (since Proxmox VE 9.0)",
};

export interface Access {
  rootPassword: string;
  /** The user that owns the token, default `pulumi@pve`. */
  user?: string;
  /** Default `PulumiK3s`. */
  role?: string;
  /** Default `pulumi`. */
  tokenName?: string;
  tokenSecret: string;
  /** Default: {@link requiredPrivileges}. */
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
    config.roles.set(role, new Set(access.privileges ?? Object.keys(requiredPrivileges)));
    const node = aclNode(config, "/");
    node.users.set(user, new Map([[role, true]]));
    node.tokens.set(tokenId, new Map([[role, true]]));
  });
  store.setPassword("root@pam", access.rootPassword);
  store.setTokenSecret(tokenId, access.tokenSecret);
  return { apiToken: `${tokenId}=${access.tokenSecret}` };
}
