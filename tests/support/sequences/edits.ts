import fc from "fast-check";
import type { ClusterConfig } from "../homelab";
import { ADDRESSES, POOLS, TEMPLATE } from "./mixed";
import { SERVER_POOL } from "./servers";
import { type Kind as MachineKind, KINDS as MACHINE_KINDS, vmidOf } from "./wish";

/** A kind of change that a person makes in the config. */
interface Kind<T> {
  /** How often, compared to the others. */
  readonly weight: number;
  readonly to: fc.Arbitrary<T>;
  /** @param of kind of the workers to edit, if the edit is about workers */
  readonly apply: (cluster: ClusterConfig, to: T, of: MachineKind) => void;
}

const kind = <T>(weight: number, to: fc.Arbitrary<T>, apply: Kind<T>["apply"]): Kind<T> => ({ weight, to, apply });
const from = (min: number, max: number) => fc.integer({ min, max });
const index = from(1, 3);
/** A value for one worker: its index and a number. */
const own = (min: number, max: number) => fc.tuple(index, from(min, max));
const flag = fc.boolean();

const poolOf = ({ pools }: ClusterConfig, of: MachineKind): ClusterConfig => pools[POOLS[of]];
const worker = (cluster: ClusterConfig, of: MachineKind, at: number): ClusterConfig =>
  ((poolOf(cluster, of).nodes ??= {})[at] ??= {});
const toggle = (pool: ClusterConfig, at: number): void => {
  const retired: number[] = pool.retired ?? [];
  pool.retired = retired.includes(at) ? retired.filter((each) => each !== at) : [...retired, at];
};
const option = ({ k3s }: ClusterConfig, key: string, value: string): void => {
  k3s.serverConfig = { ...k3s.serverConfig, [key]: value };
};
const address = (last: number): string => `192.168.2.${last}`;

/** Every kind of change, possible or refused, with weights that put each into 100 pairs of plans. */
const KINDS = {
  // Nodes join and leave.
  count: kind(5, from(0, 3), (cluster, to, of) => (poolOf(cluster, of).count = to)),
  retire: kind(3, index, (cluster, to, of) => toggle(poolOf(cluster, of), to)),
  servers: kind(3, fc.constantFrom(1, 3), ({ pools }, to) => (pools.master.count = to)),
  retireServer: kind(2, index, ({ pools }, to) => toggle(pools.master, to)),
  // Nodes are rebuilt.
  vmId: kind(
    5,
    own(0, 3),
    (cluster, [at, to], of) => (worker(cluster, of, at).vmId = 2000 * to + vmidOf({ kind: of, index: at })),
  ),
  serverVmId: kind(
    2,
    from(0, 1),
    ({ pools }, to) => (pools.master.vmIds = SERVER_POOL.vmIds.map((vmId) => vmId + 300 * to)),
  ),
  // Guests reboot.
  memory: kind(4, own(8, 10), (cluster, [at, to], of) => (worker(cluster, of, at).memory = `${to}GB`)),
  swap: kind(1, from(0, 1), ({ pools }, to) => (pools.worker.swap = `${to}GB`)),
  serverMemory: kind(2, from(4, 6), ({ pools }, to) => (pools.master.memory = `${to}GB`)),
  mac: kind(2, own(0, 2), (cluster, [at, to], of) => {
    if (to === 0) delete worker(cluster, of, at).mac;
    else worker(cluster, of, at).mac = `BC:24:11:00:0${to}:0${at}`;
  }),
  address: kind(
    2,
    own(0, 2),
    (cluster, [at, to], of) => (worker(cluster, of, at).address = address(ADDRESSES[of] + at + 100 * to)),
  ),
  serverAddress: kind(1, from(0, 1), ({ pools }, to) => {
    pools.master.addresses = SERVER_POOL.addresses.map((_, at) => address((at === 0 ? 20 : 59 + at) + 150 * to));
  }),
  dns: kind(1, from(1, 2), ({ network }, to) => (network.nameservers = [address(to)])),
  cpuType: kind(1, fc.constantFrom("host", "x86-64-v2-AES"), ({ pools }, to) => (pools.vms.cpuType = to)),
  // K3s restarts.
  version: kind(2, fc.constantFrom("v1.36.3+k3s1", "v1.36.4+k3s1"), (cluster, to) => (cluster.version = to)),
  tier: kind(2, fc.constantFrom("one", "two"), (cluster, to, of) => (poolOf(cluster, of).labels = { tier: to })),
  nodeLabel: kind(2, own(1, 2), (cluster, [at, to], of) => (worker(cluster, of, at).labels = { disk: `d${to}` })),
  datastore: kind(1, fc.constantFrom("sqlite", "etcd"), ({ k3s }, to) => (k3s.datastore = to)),
  // Guests change in place.
  cores: kind(2, from(2, 7), (cluster, to, of) => (poolOf(cluster, of).cores = to)),
  disk: kind(3, own(49, 53), (cluster, [at, to], of) => (worker(cluster, of, at).disk = `${to}GB`)),
  startOnBoot: kind(1, flag, (cluster, to, of) => (poolOf(cluster, of).startOnBoot = to)),
  startup: kind(1, from(1, 3), (cluster, to, of) => (poolOf(cluster, of).startup = { order: to })),
  // Nothing on a node changes.
  allowLoss: kind(1, flag, (cluster, to) => (cluster.removal = { allowControlPlaneLoss: to })),
  region: kind(1, fc.constantFrom("pve", "lab"), ({ proxmox }, to) => (proxmox.region = to)),
  concurrency: kind(3, from(1, 3), (cluster, to) => (cluster.rollout = { concurrency: to })),
  // Not possible.
  name: kind(1, fc.constant("lab2"), (cluster, to) => {
    cluster.name = to;
    // Keep the pool of Proxmox VE, whose name is `name` by default.
    cluster.proxmox.resourcePool = "homelab";
  }),
  podCidr: kind(1, fc.constant("10.99.0.0/16"), ({ network }, to) => (network.podCidr = to)),
  serviceCidr: kind(1, fc.constant("10.98.0.0/16"), ({ network }, to) => (network.serviceCidr = to)),
  clusterDns: kind(1, fc.constant("10.43.0.11"), (cluster, to) => option(cluster, "cluster-dns", to)),
  clusterDomain: kind(1, fc.constant("lab.example"), (cluster, to) => option(cluster, "cluster-domain", to)),
  otherMinor: kind(2, fc.constantFrom("v1.35.4+k3s1", "v1.38.0+k3s1"), (cluster, to) => (cluster.version = to)),
  role: kind(1, fc.constant("server"), (cluster, to, of) => (poolOf(cluster, of).role = to)),
  /** Turns workers in containers into virtual machines. */
  machine: kind(1, fc.constant("vm"), ({ pools }, to) => Object.assign(pools.worker, { kind: to, template: TEMPLATE })),
  rename: kind(1, index, (cluster, to, of) => (worker(cluster, of, to).hostname = `renamed-${to}`)),
  arch: kind(1, fc.constant("arm64"), ({ proxmox }, to) => {
    proxmox.architecture = to;
    proxmox.template = proxmox.template.replace("amd64", to);
  }),
  place: kind(1, fc.constant("pve2"), ({ proxmox }, to) => (proxmox.node = to)),
  /** Takes the VMID, or the address, of a worker that leaves in the same `up`. */
  takeVmId: kind(1, index, (cluster, to, of) => {
    const next = { kind: of, index: to + 1 };
    worker(cluster, of, to).vmId = poolOf(cluster, of).nodes[to + 1]?.vmId ?? vmidOf(next);
    poolOf(cluster, of).retired = [...(poolOf(cluster, of).retired ?? []), to + 1];
  }),
  takeAddress: kind(1, index, (cluster, to, of) => {
    worker(cluster, of, to).address = poolOf(cluster, of).nodes[to + 1]?.address ?? address(ADDRESSES[of] + 1 + to);
    poolOf(cluster, of).retired = [...(poolOf(cluster, of).retired ?? []), to + 1];
  }),
} as const;

/** A change of the config. */
export interface Edit {
  readonly edit: keyof typeof KINDS;
  readonly to: unknown;
  /** Kind of the workers, if the edit is about workers. */
  readonly of: MachineKind;
}

/** The edits before one `up`. */
export type Edits = readonly Edit[];

const edit: fc.Arbitrary<Edit> = fc.oneof(
  ...Object.entries(KINDS).map(([name, { weight, to }]) => ({
    weight,
    arbitrary: fc.record({
      edit: fc.constant(name as Edit["edit"]),
      to: to as fc.Arbitrary<unknown>,
      of: fc.constantFrom(...MACHINE_KINDS),
    }),
  })),
);

/** The edits of twelve `up`s, two or three before each. */
export const editSequences: fc.Arbitrary<readonly Edits[]> = fc.array(fc.array(edit, { minLength: 2, maxLength: 3 }), {
  minLength: 12,
  maxLength: 12,
});

export const applyEdit = ({ edit: name, to, of }: Edit, cluster: ClusterConfig): void =>
  (KINDS[name] as Kind<unknown>).apply(cluster, to, of);

/** Gives the server pool room for more than one server. */
export function roomForServers({ pools }: ClusterConfig): void {
  Object.assign(pools.master, SERVER_POOL);
}
