import type * as pulumi from "@pulumi/pulumi";

import type { Connection } from "../../remote/RemoteScript";

/** A machine of either kind, as K3s and membership see it. */
export interface Machine {
  /** Root on the machine, with its checked host key. */
  readonly connection: Connection;
  /** The guest itself: what lives on it is deleted and replaced with it. */
  readonly guest: pulumi.Resource;
  /** A value that is new whenever the guest is made anew, also after it vanished and a refresh noticed. */
  readonly creation: pulumi.Output<string>;
  /** Done when the machine can be used. */
  readonly usable: pulumi.Resource;
}
