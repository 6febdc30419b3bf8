import { allocatePool } from "./allocate";
import { checkFirewall } from "./rules/firewall";
import { checkIdentities } from "./rules/identities";
import { checkK3s } from "./rules/k3s";
import { checkNetwork } from "./rules/network";
import { checkNixos } from "./rules/nixos";
import { checkPools } from "./rules/pools";
import { checkRegistries } from "./rules/registries";
import type { Pins } from "./pins";
import type { Problem } from "../config/problems";
import type { Draft } from "../config/schema";

/** The rules between values. They check every section that has the right shape. */
export function validate(draft: Draft, pins: Pins): Problem[] {
  const pools = Object.entries(draft.pools).sort(([a], [b]) => (a < b ? -1 : 1));
  const identities = pools.flatMap(([name, pool]) => allocatePool(draft.name ?? "cluster", name, pool));
  return [
    ...checkNetwork(draft, identities),
    ...checkPools(draft),
    ...checkIdentities(draft, identities),
    ...checkK3s(draft, pins),
    ...checkRegistries(draft),
    ...checkNixos(draft),
    ...checkFirewall(draft),
  ];
}
