import fc from "fast-check";
import type { ClusterConfig } from "../homelab";
import { SERVER_POOL } from "./servers";

/** A kind of change that a person makes in the config. */
interface Kind<T> {
  /** How often, beside the others. */
  readonly weight: number;
  readonly to: fc.Arbitrary<T>;
  readonly apply: (cluster: ClusterConfig, to: T) => void;
}

const kind = <T>(weight: number, to: fc.Arbitrary<T>, apply: Kind<T>["apply"]): Kind<T> => ({ weight, to, apply });
const from = (min: number, max: number) => fc.integer({ min, max });
const index = from(1, 3);
/** A value of one worker: its index, and a number. */
const own = (min: number, max: number) => fc.tuple(index, from(min, max));
const flag = fc.boolean();

const worker = ({ pools }: ClusterConfig, at: number): ClusterConfig => ((pools.worker.nodes ??= {})[at] ??= {});
const toggle = (pool: ClusterConfig, at: number): void => {
  const retired: number[] = pool.retired ?? [];
  pool.retired = retired.includes(at) ? retired.filter((each) => each !== at) : [...retired, at];
};
const option = ({ k3s }: ClusterConfig, key: string, value: string): void => {
  k3s.serverConfig = { ...k3s.serverConfig, [key]: value };
};
const address = (last: number): string => `192.168.2.${last}`;

/** Every kind of change that is possible or refused, as often as 100 pairs of plans hold each. */
const KINDS = {
  // Nodes come and go.
  count: kind(5, from(0, 4), ({ pools }, to) => (pools.worker.count = to)),
  retire: kind(3, index, ({ pools }, to) => toggle(pools.worker, to)),
  servers: kind(3, fc.constantFrom(1, 3), ({ pools }, to) => (pools.master.count = to)),
  retireServer: kind(2, index, ({ pools }, to) => toggle(pools.master, to)),
  // They are rebuilt.
  vmId: kind(
    5,
    own(0, 3),
    (cluster, [at, to]) => (worker(cluster, at).vmId = to === 0 ? 101 + at : 2000 + 10 * to + at),
  ),
  serverVmId: kind(
    2,
    from(0, 1),
    ({ pools }, to) => (pools.master.vmIds = SERVER_POOL.vmIds.map((vmId) => vmId + 300 * to)),
  ),
  // They reboot.
  memory: kind(4, own(8, 10), (cluster, [at, to]) => (worker(cluster, at).memory = `${to}GB`)),
  swap: kind(1, from(0, 1), ({ pools }, to) => (pools.worker.swap = `${to}GB`)),
  serverMemory: kind(2, from(4, 6), ({ pools }, to) => (pools.master.memory = `${to}GB`)),
  mac: kind(2, own(0, 2), (cluster, [at, to]) => {
    if (to === 0) delete worker(cluster, at).mac;
    else worker(cluster, at).mac = `BC:24:11:00:0${to}:0${at}`;
  }),
  address: kind(2, own(0, 2), (cluster, [at, to]) => (worker(cluster, at).address = address(20 + at + 100 * to))),
  serverAddress: kind(1, from(0, 1), ({ pools }, to) => {
    pools.master.addresses = SERVER_POOL.addresses.map((_, at) => address((at === 0 ? 20 : 59 + at) + 150 * to));
  }),
  dns: kind(1, from(1, 2), ({ network }, to) => (network.nameservers = [address(to)])),
  // K3s restarts.
  version: kind(2, fc.constantFrom("v1.36.3+k3s1", "v1.36.4+k3s1"), (cluster, to) => (cluster.version = to)),
  tier: kind(2, fc.constantFrom("one", "two"), ({ pools }, to) => (pools.worker.labels = { tier: to })),
  nodeLabel: kind(2, own(1, 2), (cluster, [at, to]) => (worker(cluster, at).labels = { disk: `d${to}` })),
  datastore: kind(1, fc.constantFrom("sqlite", "etcd"), ({ k3s }, to) => (k3s.datastore = to)),
  // They change in place.
  cores: kind(2, from(2, 7), ({ pools }, to) => (pools.worker.cores = to)),
  disk: kind(3, own(49, 53), (cluster, [at, to]) => (worker(cluster, at).disk = `${to}GB`)),
  startOnBoot: kind(1, flag, ({ pools }, to) => (pools.worker.startOnBoot = to)),
  startup: kind(1, from(1, 3), ({ pools }, to) => (pools.worker.startup = { order: to })),
  // None of them is touched.
  allowLoss: kind(1, flag, (cluster, to) => (cluster.removal = { allowControlPlaneLoss: to })),
  concurrency: kind(3, from(1, 3), (cluster, to) => (cluster.rollout = { concurrency: to })),
  // It cannot be done.
  name: kind(1, fc.constant("lab2"), (cluster, to) => {
    cluster.name = to;
    // The pool of Proxmox VE is another matter.
    cluster.proxmox.resourcePool = "homelab";
  }),
  podCidr: kind(1, fc.constant("10.99.0.0/16"), ({ network }, to) => (network.podCidr = to)),
  serviceCidr: kind(1, fc.constant("10.98.0.0/16"), ({ network }, to) => (network.serviceCidr = to)),
  clusterDns: kind(1, fc.constant("10.43.0.11"), (cluster, to) => option(cluster, "cluster-dns", to)),
  clusterDomain: kind(1, fc.constant("lab.example"), (cluster, to) => option(cluster, "cluster-domain", to)),
  otherMinor: kind(2, fc.constantFrom("v1.35.4+k3s1", "v1.38.0+k3s1"), (cluster, to) => (cluster.version = to)),
  role: kind(1, fc.constant("server"), ({ pools }, to) => (pools.worker.role = to)),
  rename: kind(1, index, (cluster, to) => (worker(cluster, to).hostname = `renamed-${to}`)),
  arch: kind(1, fc.constant("arm64"), ({ proxmox }, to) => {
    proxmox.architecture = to;
    proxmox.template = proxmox.template.replace("amd64", to);
  }),
  place: kind(1, fc.constant("pve2"), ({ proxmox }, to) => (proxmox.node = to)),
  /** The VMID, or the address, of one that leaves in the same `up`. */
  takeVmId: kind(1, index, (cluster, to) => {
    worker(cluster, to).vmId = cluster.pools.worker.nodes[to + 1]?.vmId ?? 102 + to;
    cluster.pools.worker.retired = [...(cluster.pools.worker.retired ?? []), to + 1];
  }),
  takeAddress: kind(1, index, (cluster, to) => {
    worker(cluster, to).address = cluster.pools.worker.nodes[to + 1]?.address ?? address(21 + to);
    cluster.pools.worker.retired = [...(cluster.pools.worker.retired ?? []), to + 1];
  }),
} as const;

/** A change of the config. */
export interface Edit {
  readonly edit: keyof typeof KINDS;
  readonly to: unknown;
}

/** What one `up` gets: edits of one hand. */
export type Edits = readonly Edit[];

const edit: fc.Arbitrary<Edit> = fc.oneof(
  ...Object.entries(KINDS).map(([name, { weight, to }]) => ({
    weight,
    arbitrary: fc.record({ edit: fc.constant(name as Edit["edit"]), to: to as fc.Arbitrary<unknown> }),
  })),
);

/** Some `up`s, each with two or three edits. */
export const editSequences: fc.Arbitrary<readonly Edits[]> = fc.array(fc.array(edit, { minLength: 2, maxLength: 3 }), {
  minLength: 12,
  maxLength: 12,
});

export const applyEdit = ({ edit: name, to }: Edit, cluster: ClusterConfig): void =>
  (KINDS[name] as Kind<unknown>).apply(cluster, to);

/** The server pool has room for more servers than one. */
export function roomForServers({ pools }: ClusterConfig): void {
  Object.assign(pools.master, SERVER_POOL);
}
