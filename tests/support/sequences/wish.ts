/**
 * What a person wants of the worker pool of Pulumi.homelab.yaml, and what follows from it: worked out here once more, on
 * purpose not by `config/`, so that a plan that is wrong does not agree with itself.
 */
export interface Wish {
  /** Number of workers. */
  readonly count: number;
  /** Indices that no worker has. */
  readonly retired: readonly number[];
  readonly cores: number;
  /** Value of the label `tier` of every worker. */
  readonly tier: string;
}

export interface WishedNode {
  readonly name: string;
  readonly vmid: number;
  readonly cores: number;
}

/** More than a sequence can reach. */
export const INDICES = Array.from({ length: 20 }, (_, at) => at + 1);
export const SERVER: WishedNode = { name: "k3s-master", vmid: 100, cores: 2 };

export const vmidOf = (index: number): number => 101 + index;
export const workerName = (index: number): string => `k3s-worker-${String(index).padStart(2, "0")}`;

export function wishedNodes({ count, retired, cores }: Wish): WishedNode[] {
  const indices = INDICES.filter((index) => !retired.includes(index)).slice(0, count);
  if (indices.length < count) throw new Error(`${count} workers without ${retired.join(", ")} are too many`);
  return [SERVER, ...indices.map((index) => ({ name: workerName(index), vmid: vmidOf(index), cores }))];
}
