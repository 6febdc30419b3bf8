import * as proxmoxve from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import type { Credentials } from "../credentials/load";
import type { ClusterPlan } from "../plan/model";
import type { ClusterRecord } from "../plan/record";
import { clusterStepName } from "../plan/steps";
import { RemoteScript } from "../remote/RemoteScript";
import { scriptFailure } from "../remote/scriptFailure";
import type { ClusterContext } from "./ClusterContext";
import { firewall } from "./firewall";
import { hostConnection } from "./hostConnection";
import { bootFiles } from "./machine/bootFiles";
import { diskFits } from "./machine/byHand";
import { markOf } from "./machine/description";
import { machineFailure } from "./machine/machineFailure";
import { preflight } from "./preflight";
import type { RepairCounts } from "./repair";
import { Clones } from "./rollout/Clones";
import { K3sChanges } from "./rollout/K3sChanges";
import { Reboots } from "./rollout/Reboots";
import { RollingTurns } from "./rollout/RollingTurns";

interface BuildContextArgs {
  readonly plan: ClusterPlan;
  readonly credentials: Credentials;
  readonly former: ClusterRecord;
  readonly repairs: RepairCounts;
}

/** Creates what all parts of the cluster share: the anchor, the provider, the roster and the checks of the Proxmox host. */
export function buildContext(
  name: string,
  { plan, credentials, former, repairs }: BuildContextArgs,
  parent: pulumi.Resource,
): ClusterContext {
  const ofAll: pulumi.CustomResourceOptions = {
    hooks: { onError: [scriptFailure(name, plan.proxmox.host)] },
    ...(credentials.placeholder ? { ignoreChanges: ["connection"] } : {}),
  };
  // mergeOptions changes the hooks of its first argument, so it gets a copy.
  const scriptOptions: ClusterContext["scriptOptions"] = (own) =>
    pulumi.mergeOptions({ ...own, hooks: { ...own.hooks } }, ofAll);
  // It has no other input, and is never protected or replaced: it is deleted only together with the whole cluster.
  const anchor = new random.RandomId(clusterStepName(name, "anchor"), { byteLength: 8 }, { parent });
  const proxmox = new proxmoxve.Provider(
    name,
    { endpoint: plan.proxmox.endpoint, apiToken: credentials.apiToken, insecure: plan.proxmox.insecure },
    { parent, ...(credentials.placeholder ? { ignoreChanges: ["apiToken"] } : {}) },
  );
  const host = hostConnection(plan.proxmox, credentials.hostKey);
  const mark = markOf(plan.name, anchor.hex);
  const afterAnchor = { parent, dependsOn: [anchor] };
  const roster = new RemoteScript(
    clusterStepName(name, "roster"),
    {
      task: "roster",
      title: "the servers and the removal script on the Proxmox host",
      on: "apply and delete",
      connection: host,
      lock: `roster-${plan.name}`,
      boundSeconds: 60,
      args: {
        SERVERS: plan.servers.map((server) => `${server.vmId} ${server.name}`).join("\n"),
        DRAIN_TIMEOUT: plan.removal.drainTimeoutSeconds,
        EVICTION_TIMEOUT: plan.removal.evictionTimeoutSeconds,
        ON_BLOCKED: plan.removal.onBlocked,
        ON_LOCAL_DATA: plan.removal.onLocalData,
        ON_DISKS: plan.removal.onDisks,
        ALLOW_CONTROL_PLANE_LOSS: plan.removal.allowControlPlaneLoss ? "yes" : "no",
      },
      inputs: { CLUSTER_ID: anchor.hex, MARK: mark },
    },
    scriptOptions(afterAnchor),
  );
  const checks = preflight(name, { plan, host, mark }, scriptOptions(afterAnchor));
  const turns = new RollingTurns(plan.rollout.concurrency);
  return {
    plan,
    clusterId: anchor.hex,
    mark,
    host,
    nodeKey: credentials.nodeKey,
    registries: credentials.registries,
    proxmox,
    clones: new Clones(name),
    reboots: new Reboots(name, turns, { plan, host, mark, clusterId: anchor.hex }),
    k3sChanges: new K3sChanges(name, turns, { plan, host, clusterId: anchor.hex }),
    repairs,
    former: new Map(former.nodes.map((node) => [node.name, node])),
    halfMade: former.halfMade ?? {},
    diskFits: diskFits(name),
    machineFailure: machineFailure(name, plan.proxmox.resourcePool),
    anchor,
    roster,
    firewall: firewall(name, { plan, clusterId: anchor.hex, host, anchor, roster, repairs, scriptOptions }, parent),
    preflight: checks,
    bootFiles: bootFiles(
      name,
      { plan, former, proxmox, host, clusterId: anchor.hex, after: [roster, checks], scriptOptions },
      parent,
    ),
    scriptOptions,
  };
}
