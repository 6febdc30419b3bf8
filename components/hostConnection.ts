import type * as pulumi from "@pulumi/pulumi";

import type { ClusterPlan } from "../plan/model";
import { DIAL_ERRORS, DIAL_SECONDS } from "../remote/dialing";
import type { Connection } from "../remote/RemoteScript";

/** Root on the Proxmox host. */
export function hostConnection(
  { host, sshPort: port, sshUser: user, hostKey }: ClusterPlan["proxmox"],
  privateKey: pulumi.Output<string>,
): Connection {
  return { host, port, user, privateKey, hostKey, dialErrorLimit: DIAL_ERRORS.host, perDialTimeout: DIAL_SECONDS };
}
