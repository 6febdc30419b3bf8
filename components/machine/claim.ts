import * as pulumi from "@pulumi/pulumi";

import { STEP_BOUNDS } from "../../plan/bounds";
import { creationOf } from "../../plan/mark";
import type { NodePlan } from "../../plan/model";
import { advice } from "../../remote/advice";
import { runOnHost } from "../../remote/hostTask";
import type { Connection } from "../../remote/RemoteScript";
import { stepName } from "../../plan/steps";
import { unknownNetworks, writesNetworks } from "./writesNetworks";

/** What a check of a cluster's guests needs. */
export interface HostAccess {
  /** Root on the Proxmox host. */
  readonly host: Connection;
  readonly mark: pulumi.Output<string>;
}

/**
 * The claim: before each creation and each change of a guest, it checks on the Proxmox host that the VMID is free or ours.
 *
 * It is a hook and not a resource, because a resource runs again only if *its* inputs change, not if the guest's state does. A
 * resource would miss three cases: a creation that is tried again, a guest that a refresh removed from the state, and another
 * person's guest that a refresh took for ours (docs/decisions/0003). It does not run in a preview.
 * @param takeTurn waits until the guest may be created, then runs the check, directly before the creation
 */
export function claim(
  name: string,
  node: NodePlan,
  claims: HostAccess,
  takeTurn: (check: () => Promise<unknown>) => Promise<unknown> = (check) => check(),
): pulumi.ResourceHook {
  return new pulumi.ResourceHook(stepName(name, "claim"), async (change) => {
    const { oldInputs, newInputs } = change;
    if (oldInputs) await checkChange(name, node, claims, change);
    else {
      const creation = creationOf(String(newInputs?.["description"]));
      await takeTurn(() => checkOwnership(name, node, claims, { creation }));
    }
  });
}

async function checkChange(
  name: string,
  node: NodePlan,
  claims: HostAccess,
  change: pulumi.ResourceHookArgs,
): Promise<void> {
  const unknown = unknownNetworks(change);
  await checkOwnership(name, node, claims, {
    writesNetworks: unknown.length === 0 && writesNetworks(change),
  });
  if (unknown.length > 0)
    throw new Error(
      advice(
        `${name}: the refresh of this run found network interfaces that somebody added (${unknown.join(", ")}); the guest was not changed`,
        "pulumi up without --refresh, which keeps them",
      ),
    );
}

/**
 * Checks a machine before it is destroyed because its creation failed, as it has no guard yet. The guest may be gone. It must not
 * be somebody else's, and another copy of the state must not have completed it since.
 * @param creation the id of the creation that failed
 * @throws Error that names the guest that has the VMID, and the next step
 */
export const checkHalfMade = (name: string, node: NodePlan, access: HostAccess, creation: string): Promise<string> =>
  checkOwnership(name, node, access, { failed: creation });

interface Change {
  /**
   * The id of the creation that is about to begin. The host keeps it until the guest is prepared. Absent if the guest is to be
   * changed.
   */
  readonly creation?: string;
  /** The id of the creation that failed, if the guest is to be destroyed. */
  readonly failed?: string;
  /** The change would remove interfaces that the config does not know. */
  readonly writesNetworks?: boolean;
}

/**
 * @throws Error that names the guest that has the VMID, and the next step
 */
export function checkOwnership(
  name: string,
  node: NodePlan,
  { host, mark }: HostAccess,
  { creation, failed, writesNetworks = false }: Change = {},
): Promise<string> {
  return runOnHost(host, {
    task: "claim",
    action: creation === undefined ? "update" : "create",
    step: stepName(name, "claim"),
    title: `VMID ${node.vmId} is free or ours`,
    lock: `guest-${node.vmId}`,
    boundSeconds: STEP_BOUNDS.claim,
    args: {
      VMID: node.vmId,
      NAME: node.name,
      CREATION: creation ?? failed ?? "",
      NETWORK: writesNetworks ? "change" : "keep",
      TEMPLATE: node.kind === "vm" && "template" in node.source ? node.source.template : "",
    },
    inputs: { MARK: mark },
  });
}
