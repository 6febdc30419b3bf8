import type { AddonName, AddonSight, AddonsSight } from "../../../plan/addonsSight";
import type { ClusterPlan } from "../../../plan/model";
import { type Difference, unseen } from "../difference";
import type { Place } from "../machines";
import type { Sight } from "../sight";
import { checkFlux } from "./flux";
import { checkIngress } from "./ingress";
import { checkLonghorn } from "./longhorn";
import { checkPrometheus } from "./prometheus";
import { wellNodes } from "./words";

const NAMES: readonly AddonName[] = ["longhorn", "flux", "prometheus", "ingress"];
const CHECK = "add-ons";

/** Storage, GitOps, monitoring and the ingress. Add-ons that are not in the cluster have no line. */
export function checkAddons(plan: ClusterPlan, sight: Sight, places: ReadonlyMap<string, Place>): Difference[] {
  const { addons } = sight;
  if (!("seen" in addons)) return [unseen(CHECK, addons)];
  if (addons.seen === undefined) return [unseen(CHECK, { why: "no server answers" })];
  const { longhorn, flux, prometheus, ingress } = addons.seen;
  const nodes = wellNodes(plan, sight, places);
  return [
    ...ifThere(longhorn, (seen) => checkLonghorn(seen, nodes, sight)),
    ...ifThere(flux, (seen) => checkFlux(seen, plan, sight)),
    ...ifThere(prometheus, checkPrometheus),
    ...ifThere(ingress, (seen) => checkIngress(seen, nodes)),
    ...checkUnknown(addons.seen),
  ];
}

const ifThere = <T>(addon: AddonSight<T>, check: (seen: T) => Difference[]): Difference[] =>
  addon.is === "there" ? check(addon.seen) : [];

function checkUnknown(seen: AddonsSight): Difference[] {
  const unknown = NAMES.filter((name) => seen[name].is === "unknown");
  if (unknown.length === 0) return [];
  const why = `the API did not say whether it has these, or how they are: ${unknown.join(", ")}`;
  return [unseen(CHECK, { why, remedy: "kubectl get crds,services -A says what the API answers" })];
}

/** The add-ons for programs: each is there, absent, or unknown. */
export function presenceOf({ addons }: Sight): Readonly<Record<AddonName, AddonSight<unknown>["is"]>> {
  const seen = "seen" in addons ? addons.seen : undefined;
  const is = (name: AddonName) => seen?.[name].is ?? "unknown";
  return { longhorn: is("longhorn"), flux: is("flux"), prometheus: is("prometheus"), ingress: is("ingress") };
}
