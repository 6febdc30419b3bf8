import type { Draft } from "../config/schema";
import { isSsh } from "./flux";

/** Secret config of the add-ons, by the name under `proxmox-k3s-addons:`. */
export type SecretName = "sopsAgeKey" | "gitToken" | "gitIdentity" | "grafanaPassword" | "tailscaleAuthKey";

/** A Secret in the namespace of an add-on. Some of its values come from the secret config. */
export interface SecretPlan {
  readonly name: string;
  readonly data: Readonly<Record<string, string | { readonly secret: SecretName }>>;
}

/** Secret config that the settings always need. */
export function requiredSecrets({ flux, monitoring, tailscale }: Draft): SecretName[] {
  return [
    ...(flux?.sops ? ["sopsAgeKey" as const] : []),
    ...(flux && isSsh(flux) ? ["gitIdentity" as const] : []),
    ...(monitoring?.grafana ? ["grafanaPassword" as const] : []),
    ...(tailscale ? ["tailscaleAuthKey" as const] : []),
  ];
}
