import { z } from "zod";
import { boolean, cidr, hostname, integer, ipv4, oneOf, text } from "../../config/fields";
import { ConfigError, type Problem } from "../../config/problems";
import { readSection } from "../../config/section";

/** The outputs of the cluster's stack, and which of them this program trusts: only texts of a known shape. */

const path = text("an absolute path", /^\/[\w./-]+$/, { example: "/mnt/longhorn/data-1" });
const taint = z.object({
  key: text("a taint's key", /^[\w./-]+$/),
  value: text("a taint's value", /^[\w.-]*$/).optional(),
  effect: oneOf(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
});
const name = text("a name of letters, digits, dots, hyphens and underscores", /^[\w.-]+$/);

const nodeSchema = z.object({
  role: oneOf(["server", "agent"]),
  kind: oneOf(["lxc", "vm"]),
  pool: name,
  vmId: integer(1, 999_999_999),
  address: ipv4,
  proxmoxNode: name,
  labels: z.record(z.string(), z.string().meta({ must: "a text" })),
  taints: z.array(taint),
  /** Further disks of a virtual machine: their serial, and their mount point if they are prepared for storage. */
  disks: z.array(z.object({ serial: name, path: path.optional() })).default([]),
});

const outputsSchema = z.object({
  clusterId: text("the cluster's id of hex digits", /^[0-9a-f]{8,64}$/),
  clusterName: hostname,
  version: text("a K3s release in the form vX.Y.Z+k3sN", /^v\d+\.\d+\.\d+\+k3s\d+$/),
  podCidr: cidr,
  serviceCidr: cidr,
  disabled: z.array(name),
  /** The servers show etcd's metrics to others, at port 2381. */
  etcdMetrics: boolean,
  /** `extra`: the ports that the cluster's config opens in addition to the cluster's own. */
  firewall: z.object({
    enabled: boolean,
    extra: z.array(
      z.object({
        protocol: oneOf(["tcp", "udp"]),
        ports: text("a port, or a range of ports", /^\d{1,5}(?:-\d{1,5})?$/),
        networks: z.array(cidr),
      }),
    ),
  }),
  apiEndpoint: text("an https URL", /^https:\/\/[\w.:[\]-]+\/?$/),
  kubeconfig: z.string().min(1).meta({ must: "a kubeconfig", hidden: true }),
  nodes: z.record(hostname, nodeSchema),
});

/** The outputs that the program reads. */
export const OUTPUT_NAMES = Object.keys(outputsSchema.shape) as (keyof typeof outputsSchema.shape)[];

/** A node of the cluster. */
export type ClusterNode = Readonly<z.output<typeof nodeSchema>> & { readonly name: string };

/** The cluster as its stack describes it. The kubeconfig is not part of it: it is a secret, and no plan needs it. */
export type Cluster = Readonly<Omit<z.output<typeof outputsSchema>, "kubeconfig" | "nodes">> & {
  /** In the order of their names. */
  readonly nodes: readonly ClusterNode[];
};

export const servers = ({ nodes }: Cluster): readonly ClusterNode[] => nodes.filter(({ role }) => role === "server");

/** Nodes that have a disk for Longhorn. */
export const storageNodes = ({ nodes }: Cluster): readonly ClusterNode[] =>
  nodes.filter(({ disks }) => disks.some(({ path }) => path !== undefined));

/**
 * Checks the outputs of the cluster's stack.
 * @param stack its name, for the messages
 * @param outputs by name; a secret one is passed in plain text, and no message shows it
 * @throws ConfigError with everything that is missing or has another shape
 */
export function readCluster(stack: string, outputs: Readonly<Record<string, unknown>>): Cluster {
  const problems: Problem[] = [];
  const read = readSection(outputsSchema, outputs, "outputs", problems);
  if (problems.length > 0 || read === undefined) throw new ConfigError(problems.map((each) => ofStack(stack, each)));
  const { kubeconfig: _, nodes, ...cluster } = read;
  const named = Object.entries(nodes).map(([name, node]) => ({ name, ...node }));
  return { ...cluster, nodes: named.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

const ofStack = (stack: string, { path, problem }: Problem): Problem => ({
  path: `addons.cluster: ${path}`,
  problem,
  hint: `run \`pulumi up\` for the stack ${stack} with this version of the program`,
});
