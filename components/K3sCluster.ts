import * as pulumi from "@pulumi/pulumi";

import type { Credentials } from "../credentials/load";
import { disturbanceOrder } from "../plan/disturbanceOrder";
import { endpointUrl } from "../plan/endpoint";
import { type ClusterPlan, type DiskPlan, longhornPath, type NodePlan } from "../plan/model";
import type { ClusterRecord } from "../plan/record";
import { renameKubeconfig } from "../plan/render/kubeconfig";
import { clusterStepName } from "../plan/steps";
import type { Transitions } from "../plan/transitions";
import { buildContext } from "./buildContext";
import { K3sNode } from "./K3sNode";
import { firstCaHash } from "./membership/firstCaHash";
import { CA_HASH, readBack } from "./readBack";
import type { RepairCounts } from "./repair";
import { releaseSums } from "./releaseSums";
import { k10, password } from "./tokens";

export interface K3sClusterArgs {
  readonly plan: ClusterPlan;
  readonly credentials: Credentials;
  /** What the stack's state records of the cluster. */
  readonly former: ClusterRecord;
  /** What the plan changes on existing nodes, and what is repaired on them. */
  readonly change: Transitions;
  readonly repairs: RepairCounts;
}

/** What a stack outputs about a node; `addons/` and other stacks read it. */
export interface NodeOutput extends Pick<
  NodePlan,
  "role" | "kind" | "pool" | "index" | "vmId" | "address" | "proxmoxNode" | "labels" | "taints"
> {
  /**
   * The further disks of a virtual machine. Each is `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_<serial>` in it. A disk for
   * Longhorn also has the path where it is mounted.
   */
  readonly disks?: readonly (Pick<DiskPlan, "serial"> & { readonly path?: string })[];
}

/**
 * The whole cluster. Order: first the anchor, the roster and the checks of the host; then the servers, strictly one at a time;
 * then the agents, in parallel. Agents get their machines and files from the start, and their K3s once the K3s of all servers
 * answers; in a new cluster, once one server answers. Names, numbers and addresses come from the plan, so a preview is exact
 * even if Proxmox and the cluster are off.
 */
export class K3sCluster extends pulumi.ComponentResource {
  /** A kubeconfig of the cluster's admin with the first server's address; a secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** The server token in K10 form; a secret: whoever has it controls the whole cluster. */
  readonly token: pulumi.Output<string>;
  /** The agents' token in K10 form; a secret. */
  readonly agentToken: pulumi.Output<string>;
  readonly apiEndpoint: string;
  /**
   * The anchor's id. It stays the same for the cluster's whole life, even if the address of its API changes. Known after the
   * first `up`.
   */
  readonly clusterId: pulumi.Output<string>;
  /** Known when all nodes are Ready. */
  readonly ready: pulumi.Output<unknown>;
  /** By name, so that a node that joins or leaves moves no other node in a diff. */
  readonly nodes: Readonly<Record<string, NodeOutput>>;

  constructor(name: string, args: K3sClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    const { plan, credentials, change, former, repairs } = args;
    super(
      "proxmox-k3s:index:K3sCluster",
      name,
      { version: plan.version, nodes: plan.nodes.map((node) => node.name) },
      opts,
    );

    const context = buildContext(name, { plan, credentials, former, repairs }, this);
    const serverToken = password(clusterStepName(name, "server-token"), this);
    const agentToken = password(clusterStepName(name, "agent-token"), this);
    const sums = releaseSums(name, context, this);

    // In a new cluster, of which nothing is recorded, there is no order of changes to keep (docs/decisions/0032).
    const first = former.clusters.length === 0 ? firstCaHash(context) : undefined;
    const servers: K3sNode[] = [];
    for (const node of plan.servers) {
      const earlier = servers.map((server) => server.ready);
      servers.push(
        new K3sNode(
          node.name,
          {
            node,
            context,
            sums,
            tokens: { token: serverToken.result, agentToken: agentToken.result },
            machineAfter: earlier,
            k3sAfter: earlier,
            beginsCluster: earlier.length === 0 ? first?.ask : undefined,
          },
          { parent: this },
        ),
      );
    }
    const caHash = readBack(name, { task: "ca-hash", title: CA_HASH, context, servers }, this);
    const joinToken = k10(caHash, "node", agentToken.result);
    const agents = first
      ? { token: k10(first.or(caHash), "node", agentToken.result), k3sAfter: servers.map(({ leave }) => leave) }
      : { token: joinToken, k3sAfter: servers.map(({ k3s }) => k3s) };
    const ready = new Map(plan.servers.map(({ name: server }, at) => [server, servers[at]!.ready]));
    for (const { node, after } of disturbanceOrder(change, plan)) {
      const machineAfter = after.map((other) => ready.get(other)!);
      const agent = new K3sNode(
        node.name,
        { node, context, sums, tokens: { token: agents.token }, machineAfter, k3sAfter: agents.k3sAfter },
        { parent: this },
      );
      ready.set(node.name, agent.ready);
    }

    this.clusterId = context.clusterId;
    this.apiEndpoint = endpointUrl(plan.endpoint);
    const kubeconfig = readBack(
      name,
      { task: "kubeconfig", title: "the cluster's kubeconfig", context, servers, secretOutput: true },
      this,
    );
    this.kubeconfig = pulumi.secret(kubeconfig.apply((text) => renameKubeconfig(text, plan.name, this.apiEndpoint)));
    this.token = k10(caHash, "server", serverToken.result);
    this.agentToken = joinToken;
    this.ready = pulumi.all([...ready.values()].map(({ answer }) => answer));
    this.nodes = Object.fromEntries(plan.nodes.map((node) => [node.name, outputOf(node)]));
    this.registerOutputs({ apiEndpoint: this.apiEndpoint, nodes: this.nodes });
  }
}

/**
 * What a stack outputs about its packet filter: whether it is on, and the ports that the config opens in addition to the
 * cluster's own.
 */
export function firewallOutput({ firewall }: Pick<ClusterPlan, "firewall">) {
  const extra = (firewall?.extra ?? []).map(({ protocol, ports, networks }) => ({ protocol, ports, networks }));
  return { enabled: firewall !== undefined, extra };
}

function outputOf(node: NodePlan): NodeOutput {
  const { role, kind, pool, index, vmId, address, proxmoxNode, labels, taints } = node;
  const common = { role, kind, pool, index, vmId, address, proxmoxNode, labels, taints };
  if (node.kind !== "vm") return common;
  const disks = node.disks.map(({ serial, longhorn }) => ({ serial, ...(longhorn && { path: longhornPath(serial) }) }));
  return { ...common, disks };
}
