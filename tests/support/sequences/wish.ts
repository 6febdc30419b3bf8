/**
 * The worker pools that a person wants, one of each kind, and what follows from that. It is computed here again on purpose,
 * without `config/`: a wrong plan must not be compared with itself.
 */
export const KINDS = ["lxc", "vm"] as const;
export type Kind = (typeof KINDS)[number];

/** A worker's identity. */
export interface Place {
  readonly kind: Kind;
  readonly index: number;
}

export type Wish = Readonly<Record<Kind, PoolWish>>;

export interface PoolWish {
  /** Number of workers. */
  readonly count: number;
  /** Indices that no worker has. */
  readonly retired: readonly number[];
  readonly cores: number;
  /** Value of the label `tier` of every worker; empty for no label. */
  readonly tier: string;
}

export interface WishedNode {
  readonly name: string;
  readonly vmid: number;
  readonly kind: Kind;
  readonly cores: number;
  readonly tier: string;
}

/** More indices than a sequence can use. */
const INDICES = Array.from({ length: 20 }, (_, at) => at + 1);
export const PLACES: readonly Place[] = KINDS.flatMap((kind) => INDICES.map((index) => ({ kind, index })));
export const SERVER: WishedNode = { name: "k3s-master", vmid: 100, kind: "lxc", cores: 2, tier: "" };

export const vmidOf = ({ kind, index }: Place): number => (kind === "lxc" ? 101 : 149) + index;
export const workerName = ({ kind, index }: Place): string =>
  kind === "lxc" ? `k3s-worker-${String(index).padStart(2, "0")}` : `k3s-vm-${index}`;

export const wishedNodes = (wish: Wish): WishedNode[] => [SERVER, ...KINDS.flatMap((kind) => wishedOf(wish, kind))];

export function wishedOf(wish: Wish, kind: Kind): WishedNode[] {
  const { count, retired, cores, tier } = wish[kind];
  const indices = INDICES.filter((index) => !retired.includes(index)).slice(0, count);
  if (indices.length < count) throw new Error(`no ${count} workers are left without ${retired.join(", ")}`);
  return indices.map((index) => {
    const place = { kind, index };
    return { name: workerName(place), vmid: vmidOf(place), kind, cores, tier };
  });
}
