import { loadPlan } from "../../plan/load";
import type { ClusterPlan, FirewallPlan } from "../../plan/model";
import { changed, homelabConfig } from "../unit/config/support";

/** The plan of the homelab with a firewall and a further change of its config. */
export function firewallPlan(change: unknown = {}): ClusterPlan & { readonly firewall: FirewallPlan } {
  const firewall = { enabled: true, adminNetworks: ["192.168.2.0/24"] };
  const { firewall: planned, ...plan } = loadPlan(changed(changed(homelabConfig(), { firewall }), change));
  if (planned === undefined) throw new Error("this change switches the firewall off");
  return { ...plan, firewall: planned };
}
