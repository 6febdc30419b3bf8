import type * as pulumi from "@pulumi/pulumi";

import type { Connection } from "../../remote/RemoteScript";

/** A machine of any kind, as K3s and membership see it. */
export interface Machine {
  /** Root on the machine, with its checked host key. */
  readonly connection: Connection;
  /** The guest itself. Resources inside the guest are deleted and replaced together with it. */
  readonly guest: pulumi.Resource;
  /** A value that changes whenever the guest is created again, also after a refresh found that the guest no longer exists. */
  readonly creation: pulumi.Output<string>;
  /** Done when the machine is ready for K3s. */
  readonly usable: pulumi.Resource;
}

/** Options of a resource that is deleted and replaced together with a guest. */
export const livesWith = (
  guest: pulumi.Resource,
): Pick<pulumi.CustomResourceOptions, "deletedWith" | "replaceWith"> => ({
  deletedWith: guest,
  replaceWith: [guest],
});

/** The same options for a resource inside a machine that is ready for K3s. */
export const inside = ({ guest, usable }: Machine, parent: pulumi.Resource): pulumi.CustomResourceOptions => ({
  ...{ parent, dependsOn: [usable] },
  ...livesWith(guest),
});
