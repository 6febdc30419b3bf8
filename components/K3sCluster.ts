import * as proxmoxve from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import type { ClusterPlan, NodePlan } from "../plan/model";
import { releaseUrl, type ReleaseSums } from "./artifacts";
import type { ClusterContext } from "./ClusterContext";
import type { Credentials } from "../credentials/load";
import { K3sChanges } from "./rollout/K3sChanges";
import { K3sNode } from "./K3sNode";
import { renameKubeconfig } from "../plan/render/kubeconfig";
import { machineFailure } from "./machine/machineFailure";
import { markOf } from "./machine/description";
import { preflight } from "./preflight";
import { Reboots } from "./rollout/Reboots";
import { checkGate } from "../remote/gateCheck";
import { type Connection, RemoteScript } from "../remote/RemoteScript";
import { scriptFailure } from "../remote/scriptFailure";
import { RollingTurns } from "./rollout/RollingTurns";
import { clusterStepName } from "../plan/steps";

export interface K3sClusterArgs {
  readonly plan: ClusterPlan;
  readonly credentials: Credentials;
}

/** Root on the Proxmox host, with all that the config says of it. */
interface HostConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly privateKey: pulumi.Output<string>;
  readonly hostKey: string;
  readonly dialErrorLimit: number;
  readonly perDialTimeout: number;
}

/** What a stack tells of a node. */
export interface NodeOutput {
  readonly name: string;
  readonly role: NodePlan["role"];
  readonly kind: NodePlan["kind"];
  readonly vmId: number;
  readonly address: string;
}

/**
 * The whole cluster. Order: the anchor, the roster and the checks of the host; the servers, strictly one at a time; the
 * agents in parallel, their machines and files from the start and their K3s once that of all servers answers. Names,
 * numbers and addresses come from the plan, so a preview is exact with Proxmox and the cluster off.
 */
export class K3sCluster extends pulumi.ComponentResource {
  /** A kubeconfig of the cluster's admin with the first server's address; a secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** The server token in K10 form; a secret that is worth the whole cluster. */
  readonly token: pulumi.Output<string>;
  /** The agents' token in K10 form; a secret. */
  readonly agentToken: pulumi.Output<string>;
  readonly apiEndpoint: string;
  readonly nodes: readonly NodeOutput[];

  constructor(name: string, args: K3sClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    const { plan, credentials } = args;
    super(
      "proxmox-k3s:index:K3sCluster",
      name,
      { version: plan.version, nodes: plan.nodes.map((node) => node.name) },
      opts,
    );

    const context = this.context(name, plan, credentials);
    const serverToken = password(clusterStepName(name, "server-token"), this);
    const agentToken = password(clusterStepName(name, "agent-token"), this);
    const sums = this.releaseSums(name, context);

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
          },
          { parent: this },
        ),
      );
    }
    const allServers = servers.map((server) => server.k3s);
    const caHash = this.readBack(name, "ca-hash", "the CA hash that joining nodes check", context, servers);
    const joinToken = k10(caHash, "node", agentToken.result);
    for (const node of plan.agents) {
      new K3sNode(
        node.name,
        { node, context, sums, tokens: { token: joinToken }, machineAfter: [], k3sAfter: allServers },
        { parent: this },
      );
    }

    const kubeconfig = this.readBack(name, "kubeconfig", "the cluster's kubeconfig", context, servers);
    this.kubeconfig = pulumi.secret(kubeconfig.apply((text) => renameKubeconfig(text, plan.name, plan.endpoint)));
    this.token = k10(caHash, "server", serverToken.result);
    this.agentToken = joinToken;
    this.apiEndpoint = plan.endpoint;
    this.nodes = plan.nodes.map(({ name, role, kind, vmId, address }) => ({ name, role, kind, vmId, address }));
    this.registerOutputs({ apiEndpoint: this.apiEndpoint, nodes: this.nodes });
  }

  private context(name: string, plan: ClusterPlan, credentials: Credentials): ClusterContext {
    const scriptOptions: pulumi.CustomResourceOptions = {
      hooks: { onError: [scriptFailure(name, plan.proxmox.host)] },
      ...(credentials.placeholder ? { ignoreChanges: ["connection"] } : {}),
    };
    // No other input, never protected, never replaced: it goes only when the whole cluster does.
    const anchor = new random.RandomId(clusterStepName(name, "anchor"), { byteLength: 8 }, { parent: this });
    const proxmox = new proxmoxve.Provider(
      name,
      { endpoint: plan.proxmox.endpoint, apiToken: credentials.apiToken, insecure: plan.proxmox.insecure },
      { parent: this, ...(credentials.placeholder ? { ignoreChanges: ["apiToken"] } : {}) },
    );
    const host = this.gated(name, {
      host: plan.proxmox.host,
      port: plan.proxmox.sshPort,
      user: plan.proxmox.sshUser,
      privateKey: credentials.hostKey,
      hostKey: plan.proxmox.hostKey,
      dialErrorLimit: 10,
      perDialTimeout: 5,
    });
    const mark = markOf(plan.name, anchor.hex);
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
          ON_BLOCKED: plan.removal.onBlocked,
          ALLOW_CONTROL_PLANE_LOSS: plan.removal.allowControlPlaneLoss ? "yes" : "no",
        },
        inputs: { CLUSTER_ID: anchor.hex, MARK: mark },
      },
      pulumi.mergeOptions(scriptOptions, { parent: this, dependsOn: [anchor] }),
    );
    const turns = new RollingTurns(plan.rollout.concurrency);
    return {
      plan,
      clusterId: anchor.hex,
      mark,
      host,
      nodeKey: credentials.nodeKey,
      proxmox,
      reboots: new Reboots(name, turns, { plan, host, mark, clusterId: anchor.hex }),
      k3sChanges: new K3sChanges(name, turns, { plan, host, clusterId: anchor.hex }),
      machineFailure: machineFailure(name, plan.proxmox.resourcePool),
      anchor,
      roster,
      preflight: preflight(
        name,
        { plan, host, mark },
        pulumi.mergeOptions(scriptOptions, { parent: this, dependsOn: [anchor] }),
      ),
      scriptOptions,
    };
  }

  /** From the config or the repo's pins; else read once from the release's own list. */
  private releaseSums(name: string, context: ClusterContext): ReleaseSums {
    const { plan } = context;
    const binary = plan.k3s.sha256[plan.arch];
    const images = plan.k3s.imagesSha256[plan.arch];
    if (binary !== undefined && (images !== undefined || !plan.k3s.airgapImages))
      return { binary, images: images ?? "" };
    const list = new RemoteScript(
      clusterStepName(name, "release-sums"),
      {
        task: "release-sums",
        title: `the published SHA-256 sums of K3s ${plan.version}`,
        connection: context.host,
        lock: `release-sums-${plan.name}`,
        boundSeconds: 300,
        args: { SOURCE: releaseUrl(plan), ARCH: plan.arch, IMAGES: plan.k3s.airgapImages ? "yes" : "no" },
      },
      pulumi.mergeOptions(context.scriptOptions, { parent: this, dependsOn: [context.anchor] }),
    );
    const published = list.answer.apply((line) => line.split(" "));
    return {
      binary: binary ?? published.apply(([sum]) => sum ?? ""),
      images: images ?? published.apply(([, sum]) => sum ?? ""),
    };
  }

  /** A value read from a live server, by a command of its own: any changed input would make it unknown in a preview. */
  private readBack(
    name: string,
    task: "ca-hash" | "kubeconfig",
    title: string,
    context: ClusterContext,
    servers: readonly K3sNode[],
  ): pulumi.Output<string> {
    const secretOutput = task === "kubeconfig";
    const command = new RemoteScript(
      clusterStepName(name, task),
      {
        task,
        title,
        connection: context.host,
        lock: `${task}-${context.plan.name}`,
        boundSeconds: 120,
        args: { TIMEOUT: 60 },
        inputs: { CLUSTER_ID: context.clusterId },
        secretOutput,
        // The CA lives and dies with the first server's machine as long as it is the only one.
        triggers: servers.slice(0, 1).map((server) => server.machine.creation),
      },
      pulumi.mergeOptions(context.scriptOptions, {
        parent: this,
        // Not on their `ready`, which takes some seconds more.
        dependsOn: servers.map((server) => server.k3s),
      }),
    );
    return command.answer;
  }

  /** The way to the Proxmox host; in an `up` it opens once the host has shown that it runs this program's scripts. */
  private gated(name: string, connection: HostConnection): Connection {
    if (pulumi.runtime.isDryRun()) return connection;
    const { host, port, user, hostKey } = connection;
    return connection.privateKey.apply(async (privateKey) => {
      try {
        await checkGate({ host, port, user, hostKey, privateKey, dials: 2 }, name);
      } catch (error) {
        throw new pulumi.RunError((error as Error).message);
      }
      return { ...connection, privateKey };
    });
  }
}

/** 48 letters and digits: the server token is also the key that encrypts the cluster's CA keys in its datastore. */
function password(name: string, parent: pulumi.Resource): random.RandomPassword {
  return new random.RandomPassword(name, { length: 48, special: false }, { parent });
}

/** K3s' secure token form, with which a node checks the server before it sends a credential. */
function k10(
  caHash: pulumi.Output<string>,
  user: "server" | "node",
  secret: pulumi.Output<string>,
): pulumi.Output<string> {
  return pulumi.secret(pulumi.interpolate`K10${caHash}::${user}:${secret}`);
}
