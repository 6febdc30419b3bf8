import { compare } from "../../cli/status/compare";
import type { Sight } from "../../cli/status/sight";
import type { AddonsSight, Condition } from "../../plan/addonsSight";
import { loadPlan } from "../../plan/load";
import { changed, homelabConfig } from "../unit/config/support";
import { goodSight, NO_ADDONS, seen } from "./statusSight";

/* A cluster with two virtual machines for storage, and what `status` says of its add-ons. */

export const V1 = "vm-1";
export const V2 = "vm-2";
const DISKS = [{ serial: "longhorn", size: "50GB", longhorn: true }];
const VMS = {
  ...{ kind: "vm", role: "agent", count: 2, hostname: "vm-{0}", template: 9000, cores: 2, memory: "4GB", disk: "20GB" },
  ...{ vmIds: { from: 120 }, addresses: { from: "192.168.2.40" }, disks: DISKS, disksVmIds: { from: 320 } },
};
export const PLAN = loadPlan(changed(homelabConfig(), { pools: { worker: null, vms: VMS } }));
export const GOOD = goodSight(PLAN);

export const withAddons = (addons: Partial<AddonsSight>, change: Partial<Sight> = {}): Sight => ({
  ...GOOD,
  addons: { seen: { ...NO_ADDONS, ...addons } },
  ...change,
});
export const there = <T>(what: T) => ({ is: "there", seen: what }) as const;
/** Each finding about add-ons as one line: level, check, text and command. */
export const said = (sight: Sight): string[] =>
  compare(PLAN, sight)
    .findings.filter(({ check }) => ["longhorn", "flux", "prometheus", "ingress", "add-ons"].includes(check))
    .map(({ level, check, seen: words, remedy = "" }) => `${level} ${check}: ${words}${remedy && ` → ${remedy}`}`);
/** The good sight with a change of the cluster. */
export const cluster = (change: Partial<ReturnType<typeof clusterOf>>): Pick<Sight, "cluster"> => ({
  cluster: { seen: { ...clusterOf(), ...change } },
});
export const clusterOf = () => seen(GOOD.cluster);

export const conditions = (ready: Condition["status"] = "True", reason?: string): Condition[] => [
  { type: "Ready", status: ready, reason },
];
