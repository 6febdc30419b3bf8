import type * as pulumi from "@pulumi/pulumi";

import { PACKAGES_DEADLINE, STEP_BOUNDS } from "../plan/bounds";
import type { NodePlan } from "../plan/model";
import { stepName } from "../plan/steps";
import { RemoteScript } from "../remote/RemoteScript";
import type { ClusterContext } from "./ClusterContext";
import { inside, type Machine } from "./machine/Machine";
import { longhornLines } from "./membership/membership";

interface OnboardingArgs {
  readonly node: NodePlan;
  readonly machine: Machine;
  readonly context: ClusterContext;
}

/**
 * Installs the Debian packages of the node's pool, and enables iscsid if its storage needs it. No step for a node that needs
 * neither.
 */
export function packages(
  name: string,
  { node, machine, context }: OnboardingArgs,
  parent: pulumi.Resource,
): RemoteScript[] {
  if (node.packages.length === 0 && !node.iscsi) return [];
  const step = new RemoteScript(
    stepName(name, "packages"),
    {
      task: "packages",
      title: `the packages of ${node.name}`,
      connection: machine.connection,
      lock: "packages",
      boundSeconds: STEP_BOUNDS.packages,
      args: {
        NAME: node.name,
        ARCH: context.plan.arch,
        PACKAGES: node.packages.join("\n"),
        ISCSI: node.iscsi ? "yes" : "no",
        DEADLINE: PACKAGES_DEADLINE,
      },
      triggers: [machine.creation],
    },
    context.scriptOptions(inside(machine, parent)),
  );
  return [step];
}

/** The node's disks for Longhorn, mounted before K3s starts; no step for a node without one. */
export function storage(
  name: string,
  { node, machine, context }: OnboardingArgs,
  parent: pulumi.Resource,
): RemoteScript[] {
  const disks = longhornLines(node);
  if (disks === "") return [];
  const step = new RemoteScript(
    stepName(name, "storage"),
    {
      task: "storage",
      title: `the disks of ${node.name} for Longhorn`,
      connection: machine.connection,
      lock: "storage",
      boundSeconds: STEP_BOUNDS.storage,
      args: { NAME: node.name, LONGHORN_DISKS: disks },
      inputs: { CLUSTER_ID: context.clusterId },
      triggers: [machine.creation],
    },
    context.scriptOptions(inside(machine, parent)),
  );
  return [step];
}

/**
 * The page that shows the node's progress, if the config asks for it. If the config no longer does, the page is closed. Both go
 * through the Proxmox host, so a node that is down does not block the run.
 */
export function page(
  name: string,
  { node, machine, context }: OnboardingArgs,
  parent: pulumi.Resource,
): RemoteScript[] {
  if (!context.plan.onboarding.http) return [];
  const step = new RemoteScript(
    stepName(name, "page"),
    {
      task: "page",
      title: `the progress of ${node.name} at http://${node.address}:8080/`,
      connection: context.host,
      lock: `page-${node.vmId}`,
      boundSeconds: STEP_BOUNDS.page,
      args: { VMID: node.vmId, NAME: node.name, ADDRESS: node.address },
      inputs: { MARK: context.mark },
      on: "apply and delete",
      triggers: [machine.creation],
    },
    context.scriptOptions(inside(machine, parent)),
  );
  return [step];
}
