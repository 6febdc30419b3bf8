import type { IngressSettings } from "../../config/sections/ingress";
import type { ClusterNode } from "../cluster";
import { type Toleration, tolerationsOf } from "./tolerations";

/**
 * Values of Traefik's chart, version 40 and newer: `service.spec.type`. Its schema also accepts `service.type`, the key of older
 * charts, but the chart ignores it. One pod on each node, replaced in place: a surge would need room for a second pod on every
 * node.
 */
export function traefikValues(ingress: IngressSettings, nodes: readonly ClusterNode[]): Record<string, unknown> {
  const isLocal = ingress.externalTrafficPolicy === "Local";
  const spec = {
    // Without a type, the chart creates a load balancer, which has the node ports as well.
    ...(ingress.loadBalancer ? {} : { type: "NodePort" }),
    ...(isLocal ? { externalTrafficPolicy: "Local" } : {}),
  };
  return {
    deployment: { kind: "DaemonSet" },
    updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
    ...(Object.keys(spec).length > 0 ? { service: { spec } } : {}),
    ports: { web: { nodePort: ingress.nodePorts.http }, websecure: { nodePort: ingress.nodePorts.https } },
    // The list replaces the one that K3s sets, so it is set only if Traefik must run on each node.
    ...(isLocal || ingress.traefik === "release" ? { tolerations: tolerations(nodes) } : {}),
  };
}

/** The tolerations of K3s' own Traefik (k3s v1.36, manifests/traefik.yaml), and one for each other taint of the nodes. */
function tolerations(nodes: readonly ClusterNode[]): Toleration[] {
  const own: Toleration[] = [
    { key: "CriticalAddonsOnly", operator: "Exists" },
    { key: "node-role.kubernetes.io/control-plane", operator: "Exists", effect: "NoSchedule" },
  ];
  const others = tolerationsOf(nodes).filter(
    ({ key, effect }) => !own.some((each) => each.key === key && each.effect === effect),
  );
  return [...own, ...others];
}
