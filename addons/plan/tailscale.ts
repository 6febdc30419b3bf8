import type { Settings } from "../config/schema";
import type { Cluster } from "./cluster";
import { AUTH_SECRET, router, type RouterPlan, routerRules } from "./render/tailscale";
import type { SecretPlan } from "./secrets";

export const TAILSCALE_NAMESPACE = "tailscale";

export interface TailscalePlan {
  readonly namespace: string;
  readonly secrets: readonly SecretPlan[];
  readonly routers: readonly RouterPlan[];
  /** The rules of the routers' Role. */
  readonly rules: ReturnType<typeof routerRules>;
}

/** The plan of the subnet routers; undefined if the config has none. */
export function planTailscale({ tailscale }: Settings, cluster: Cluster): TailscalePlan | undefined {
  if (tailscale === undefined) return undefined;
  const routers = Array.from({ length: tailscale.replicas }, (_, at) => router(at + 1, tailscale, cluster));
  return {
    namespace: TAILSCALE_NAMESPACE,
    secrets: [{ name: AUTH_SECRET.name, data: { [AUTH_SECRET.key]: { secret: "tailscaleAuthKey" } } }],
    routers,
    rules: routerRules(routers),
  };
}
