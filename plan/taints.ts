/** A Kubernetes taint. */
export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

/** K3s does not set this taint, unlike kubeadm. Without it, pods run on the servers. */
export const CONTROL_PLANE_TAINT: Taint = { key: "node-role.kubernetes.io/control-plane", effect: "NoSchedule" };

/** Key, value and effect in kubectl's form. */
export const TAINT = /^([^=:]+)(?:=([^=:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/;

/** Reads `key:Effect`, `key=value:Effect` or `key=:Effect`, the form of kubectl and K3s; `undefined` if it has another form. */
export function parseTaint(text: string): Taint | undefined {
  const match = TAINT.exec(text);
  if (!match?.[1]) return undefined;
  return { key: match[1], ...(match[2] ? { value: match[2] } : {}), effect: match[3] as Taint["effect"] };
}

/** The form of kubectl and K3s: `key=value:Effect`, or `key:Effect` without a value. */
export function formatTaint(taint: Taint): string {
  return `${taint.key}${taint.value ? `=${taint.value}` : ""}:${taint.effect}`;
}
