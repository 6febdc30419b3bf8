import type { TailscaleSettings } from "../../config/sections/tailscale";
import type { Cluster } from "../cluster";

/** The Secret with the key with which a router logs in for the first time. */
export const AUTH_SECRET = { name: "auth", key: "TS_AUTHKEY" };

/** At this port, Tailscale answers whether it is in the tailnet. */
const HEALTH_PORT = 9002;
/** A user id without rights on any node: tailscaled needs none. */
const USER = 1000;
/** How long a pod stays bound to a node that does not answer; five minutes by default. */
const PATIENCE_SECONDS = 60;

/**
 * A subnet router in user space: tailscaled opens the connections to pods and services itself, so it needs no device of the node,
 * no rights and no forwarding, and also runs in containers (tailscale 1.102: docs/k8s/userspace-sidecar.yaml;
 * cmd/tailscaled/netstack.go: ProcessSubnets; cmd/containerboot/settings.go). Each router has its own state, with which the
 * tailnet recognizes it.
 * @returns its name, the name of the Secret with its state, and the `spec` of its Deployment (apps/v1)
 */
export function router(index: number, { image, tags, loginServer }: TailscaleSettings, cluster: Cluster) {
  const name = `router-${index}`;
  const state = `state-${index}`;
  const labels = { "app.kubernetes.io/name": "tailscale", "app.kubernetes.io/instance": name };
  const extra = [
    ...(tags.length > 0 ? [`--advertise-tags=${tags.join(",")}`] : []),
    ...(loginServer === undefined ? [] : [`--login-server=${loginServer}`]),
  ];
  const env = {
    TS_USERSPACE: "true",
    TS_KUBE_SECRET: state,
    // A router that the tailnet knows also works with an expired key.
    TS_AUTH_ONCE: "true",
    TS_HOSTNAME: `${cluster.clusterName}-${name}`,
    TS_ROUTES: [cluster.podCidr, cluster.serviceCidr].join(","),
    TS_ENABLE_HEALTH_CHECK: "true",
    ...(extra.length > 0 ? { TS_EXTRA_ARGS: extra.join(" ") } : {}),
  };
  const spec = {
    replicas: 1,
    // Two pods with one state would be the same device twice.
    strategy: { type: "Recreate" },
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: "tailscale",
        securityContext: {
          ...{ runAsNonRoot: true, runAsUser: USER, runAsGroup: USER },
          seccompProfile: { type: "RuntimeDefault" },
        },
        affinity: apart(labels["app.kubernetes.io/name"]),
        tolerations: ["not-ready", "unreachable"].map((condition) => ({
          key: `node.kubernetes.io/${condition}`,
          ...{ operator: "Exists", effect: "NoExecute", tolerationSeconds: PATIENCE_SECONDS },
        })),
        containers: [
          {
            ...{ name: "tailscale", image },
            env: [
              ...Object.entries(env).map(([key, value]) => ({ name: key, value })),
              {
                name: AUTH_SECRET.key,
                valueFrom: { secretKeyRef: { name: AUTH_SECRET.name, key: AUTH_SECRET.key } },
              },
              // Tailscale writes events about its own pod.
              { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
              { name: "POD_UID", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } },
            ],
            readinessProbe: { httpGet: { path: "/healthz", port: HEALTH_PORT }, periodSeconds: 10 },
            resources: { requests: { cpu: "20m", memory: "64Mi" } },
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          },
        ],
      },
    },
  };
  return { name, state, spec };
}

export type RouterPlan = ReturnType<typeof router>;

/** On different nodes, if there are enough. */
const apart = (name: string) => ({
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          topologyKey: "kubernetes.io/hostname",
          labelSelector: { matchLabels: { "app.kubernetes.io/name": name } },
        },
      },
    ],
  },
});

/** The rights of a router in its namespace: read and write its state, and write events. */
export const routerRules = (routers: readonly RouterPlan[]) => [
  {
    apiGroups: [""],
    resources: ["secrets"],
    resourceNames: routers.map(({ state }) => state),
    verbs: ["get", "update", "patch"],
  },
  { apiGroups: [""], resources: ["events"], verbs: ["get", "create", "patch"] },
];
