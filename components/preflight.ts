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
 * Checks the Proxmox host before the first machine is created, and reports all problems at once. It does not check machines
 * that exist already: you can always remove nodes, even if the host has problems. `proxmox-k3s doctor` runs the same script.
 */
export function preflight(name: string, args: PreflightArgs, opts: pulumi.CustomResourceOptions): RemoteScript {
  return new RemoteScript(
    clusterStepName(name, "preflight"),
    {
      task: "preflight",
      title: "the Proxmox host is ready for new machines",
      connection: args.host,
      lock: `preflight-${args.plan.name}`,
      boundSeconds: 60,
      args: preflightArgs(args.plan),
      inputs: { MARK: args.mark },
    },
    opts,
  );
}
