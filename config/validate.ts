import { allocatePool } from "./allocate";
import { checkIdentities } from "./checks/identities";
import { checkK3s } from "./checks/k3s";
import { checkNetwork } from "./checks/network";
import { checkPools } from "./checks/pools";
import type { Pins } from "./pins";
import type { Problem } from "./problems";
import type { Draft } from "./schema";

/** The rules between values, over every section that has the right shape. */
export function validate(draft: Draft, pins: Pins): Problem[] {
  const pools = Object.entries(draft.pools).sort(([a], [b]) => (a < b ? -1 : 1));
  const identities = pools.flatMap(([name, pool]) => allocatePool(draft.name ?? "cluster", name, pool));
  return [
    ...checkNetwork(draft, identities.length),
    ...checkPools(draft),
    ...checkIdentities(draft, identities),
    ...checkK3s(draft, pins),
  ];
}
