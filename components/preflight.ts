import * as pulumi from "@pulumi/pulumi";

import type { ClusterPlan } from "../plan/model";
import { preflightArgs } from "../plan/render/preflightArgs";
import { type Connection, RemoteScript } from "../remote/RemoteScript";
import { clusterStepName } from "../plan/steps";

export interface PreflightArgs {
  readonly plan: ClusterPlan;
  /** Root on the Proxmox host. */
  readonly host: Connection;
  readonly mark: pulumi.Output<string>;
}

/**
 * What must be right on the Proxmox host before a machine is made; every problem is reported at once. Machines that
 * stand already are not looked at, so that a host which has got worse does not hold up their removal.
 * `npm run doctor` runs the same script.
 */
export function preflight(name: string, args: PreflightArgs, opts: pulumi.CustomResourceOptions): RemoteScript {
  return new RemoteScript(
    clusterStepName(name, "preflight"),
    {
      task: "preflight",
      title: "the Proxmox host is ready for the machines to come",
      connection: args.host,
      lock: `preflight-${args.plan.name}`,
      boundSeconds: 60,
      args: preflightArgs(args.plan),
      inputs: { MARK: args.mark },
    },
    opts,
  );
}
