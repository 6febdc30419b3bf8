import type { Problem } from "../../../config/problems";
import type { Settings } from "../../config/schema";
import type { Cluster } from "../cluster";
import { overlap } from "../networks";

/** The network from which Tailscale gives addresses to its devices. */
const TAILNET = "100.64.0.0/10";

/** Settings that are not possible on this cluster. */
export function checkTailscaleOn({ tailscale }: Settings, { podCidr, serviceCidr }: Cluster): Problem[] {
  if (tailscale === undefined) return [];
  return [["pods", podCidr] as const, ["services", serviceCidr] as const]
    .filter(([, network]) => overlap(network, TAILNET))
    .map(([what, network]) => ({
      path: "addons.tailscale",
      problem: `cannot route to the network of the ${what}, ${network}: it has addresses of Tailscale's own network, ${TAILNET}`,
      hint: "remove tailscale; the networks of a cluster cannot change",
    }));
}
