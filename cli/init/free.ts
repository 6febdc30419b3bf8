import ipaddr from "ipaddr.js";

/** The first addresses and VMIDs of servers and workers. Each is one block, so that a pool can grow. */
export interface Blocks<T> {
  readonly servers: T;
  readonly workers: T;
}

/** The most servers of a cluster, and the least number of workers that a block has room for. */
const [SERVERS, WORKERS] = [5, 10];

interface Counts {
  readonly servers: number;
  readonly workers: number;
}

/** Whether all numbers from `first` on are free. */
type IsFree = (first: number, count: number) => boolean;

/**
 * VMIDs for both pools: the workers' start ten above the servers'.
 * @param from the first one, if the user names it
 * @returns undefined if there is no free block; with `from`, if one of the VMIDs is taken
 */
export function freeVmIds(used: ReadonlySet<number>, counts: Counts, from?: number): Blocks<number> | undefined {
  const isFree: IsFree = (first, count) => range(first, count).every((id) => !used.has(id));
  const fits = (first: number, { servers, workers }: Counts): boolean =>
    isFree(first, servers) && isFree(first + 10, workers);
  const blocks = (first: number): Blocks<number> => ({ servers: first, workers: first + 10 });
  if (from !== undefined) return fits(from, counts) ? blocks(from) : undefined;
  const roomy = { servers: SERVERS, workers: Math.max(WORKERS, counts.workers) };
  const starts = Array.from({ length: 1000 }, (_, index) => 200 + index * 10);
  const found = starts.find((first) => fits(first, roomy)) ?? starts.find((first) => fits(first, counts));
  return found === undefined ? undefined : blocks(found);
}

/**
 * Addresses for both pools: the workers' start five above the servers', or follow them directly in a small network.
 * @param cidr the network, or an address in it with its prefix
 * @param from the first one, if the user names it
 */
export function freeAddresses(
  cidr: string,
  used: ReadonlySet<string>,
  counts: Counts,
  from?: string,
): Blocks<string> | undefined {
  const [first, last] = hostRange(cidr);
  const isFree: IsFree = (start, count) =>
    start >= first && start + count - 1 <= last && range(start, count).every((each) => !used.has(fromNumber(each)));
  const at = (start: number, gap: number): Blocks<string> => ({
    servers: fromNumber(start),
    workers: fromNumber(start + gap),
  });
  const fit = (start: number, { servers, workers }: Counts, gap: number): Blocks<string> | undefined =>
    isFree(start, servers) && isFree(start + gap, workers) ? at(start, gap) : undefined;
  const close = (start: number) => fit(start, counts, counts.servers);
  if (from !== undefined) return fit(toNumber(from), counts, SERVERS) ?? close(toNumber(from));
  const roomy = { servers: SERVERS, workers: Math.max(WORKERS, counts.workers) };
  const starts = range(first, last - first + 1);
  // Routers and other machines often have low addresses, so start at .20.
  const tens = starts.filter((start) => (start - first + 1) % 10 === 0 && start >= first + 19);
  return firstOf(tens, (start) => fit(start, roomy, SERVERS)) ?? firstOf(starts, close);
}

function firstOf<T>(starts: readonly number[], look: (start: number) => T | undefined): T | undefined {
  for (const start of starts) {
    const found = look(start);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The addresses of a block. */
export const addressesFrom = (first: string, count: number): string[] => range(toNumber(first), count).map(fromNumber);

/** The network of an address with its prefix: `192.168.2.167/24` is in `192.168.2.0/24`. */
export const networkOf = (cidr: string): string =>
  `${ipaddr.IPv4.networkAddressFromCIDR(cidr).toString()}/${cidr.split("/")[1]}`;

/** The first and the last address for hosts; at most 65,536 are checked. */
function hostRange(cidr: string): [first: number, last: number] {
  const network = toNumber(ipaddr.IPv4.networkAddressFromCIDR(cidr).toString());
  const broadcast = toNumber(ipaddr.IPv4.broadcastAddressFromCIDR(cidr).toString());
  return [network + 1, Math.min(broadcast - 1, network + 65_536)];
}

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);
const toNumber = (address: string): number =>
  ipaddr.IPv4.parse(address).octets.reduce((sum, octet) => sum * 256 + octet, 0);
const fromNumber = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
