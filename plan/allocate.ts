import { fromNumber, toNumber } from "./network";
import type { DiskSettings, NodeSettings, PoolSettings } from "../config/schema";

/** A value together with the place in the config that gives it, for messages. */
export interface Sourced<T> {
  readonly value: T;
  /** Path below `cluster`, for example `pools.worker.vmIds`. */
  readonly path: string;
}

/** The identity of a node. A value is `undefined` if the config gives none for this index. */
export interface NodeIdentity {
  readonly pool: string;
  readonly index: number;
  readonly hostname: Sourced<string>;
  readonly vmId: Sourced<number | undefined>;
  readonly address: Sourced<string | undefined>;
  /** VMID of the guest that keeps its further disks; absent for a node without such disks. */
  readonly disksVmId?: Sourced<number | undefined>;
  readonly mac?: Sourced<string>;
}

/** The `count` lowest indices from 1 that are not retired. */
export function indicesOf(count: number, retired: readonly number[]): number[] {
  const indices: number[] = [];
  for (let index = 1; indices.length < count; index++) {
    if (!retired.includes(index)) indices.push(index);
  }
  return indices;
}

/**
 * The identities of a pool's nodes. Each depends only on the index, never on other nodes: scaling the pool or retiring an
 * index does not change another node.
 */
export function allocatePool(cluster: string, pool: string, settings: PoolSettings): NodeIdentity[] {
  const path = `pools.${pool}`;
  const pattern = settings.hostname ?? `${cluster}-${pool}-{0}`;
  return indicesOf(settings.count, settings.retired).map((index) => {
    const own: Partial<NodeSettings> = settings.nodes[index] ?? {};
    const ownPath = `${path}.nodes.${index}`;
    return {
      pool,
      index,
      hostname:
        own.hostname !== undefined
          ? { value: own.hostname, path: `${ownPath}.hostname` }
          : { value: fillPattern(pattern, index), path: `${path}.hostname` },
      vmId:
        own.vmId !== undefined
          ? { value: own.vmId, path: `${ownPath}.vmId` }
          : { value: pick(settings.vmIds, index, (from, steps) => from + steps), path: `${path}.vmIds` },
      address:
        own.address !== undefined
          ? { value: own.address, path: `${ownPath}.address` }
          : {
              value: pick(settings.addresses, index, (from, steps) => fromNumber(toNumber(from) + steps)),
              path: `${path}.addresses`,
            },
      ...disksVmIdOf(path, settings, index),
      ...(own.mac === undefined ? {} : { mac: { value: own.mac, path: `${ownPath}.mac` } }),
    };
  });
}

/** The further disks of a node. */
export function disksOf(pool: PoolSettings, index: number): readonly DiskSettings[] {
  return pool.kind === "vm" ? (pool.nodes[index]?.disks ?? pool.disks) : [];
}

function disksVmIdOf(path: string, pool: PoolSettings, index: number): Pick<NodeIdentity, "disksVmId"> {
  if (pool.kind !== "vm" || disksOf(pool, index).length === 0) return {};
  const own = pool.nodes[index]?.disksVmId;
  if (own !== undefined) return { disksVmId: { value: own, path: `${path}.nodes.${index}.disksVmId` } };
  const value = pick(pool.disksVmIds, index, (from, steps) => from + steps);
  return { disksVmId: { value, path: `${path}.disksVmIds` } };
}

/** Puts the index in place of `{0}`, or zero-padded in place of `{00}`, `{000}` … */
export function fillPattern(pattern: string, index: number): string {
  return pattern.replace(/\{(0+)\}/, (_, zeros: string) => String(index).padStart(zeros.length, "0"));
}

type Series<T> = { readonly from: T } | readonly T[] | undefined;

function pick<T>(series: Series<T>, index: number, step: (from: T, steps: number) => T | undefined): T | undefined {
  if (series === undefined) return undefined;
  return "from" in series ? step(series.from, index - 1) : series[index - 1];
}
