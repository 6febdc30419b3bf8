import type { NamespaceSettings } from "../../config/sections/namespaces";
import { type Cluster, servers } from "../cluster";

/** The `spec` of a NetworkPolicy (networking.k8s.io/v1). */
export interface NetworkPolicyPlan {
  readonly name: string;
  /** Labels of the pods that it selects; without labels, all pods of the namespace. */
  readonly pods?: Readonly<Record<string, string>>;
  readonly ingress?: Rule[];
  readonly egress?: Rule[];
}

interface Rule {
  readonly from?: Peer[];
  readonly to?: Peer[];
  readonly ports?: { readonly protocol: string; readonly port: number }[];
}

type Labels = { readonly matchLabels: Record<string, string> };
type Peer = {
  readonly namespaceSelector?: Labels;
  readonly podSelector?: Labels | Record<string, never>;
  readonly ipBlock?: { readonly cidr: string; readonly except?: string[] };
};

/** Kubernetes gives each namespace this label. */
export const inNamespace = (name: string) => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
});
export const labelled = (key: string, value: string) => ({ podSelector: { matchLabels: { [key]: value } } });

/** Both protocols of DNS. */
const DNS_PORTS = ["UDP", "TCP"].map((protocol) => ({ protocol, port: 53 }));
/**
 * The port of a server's API. The port of the Service does not matter, because the address is rewritten before the rules apply.
 */
const API_PORT = [{ protocol: "TCP", port: 6443 }];

/**
 * The policies of a namespace: deny everything, then allow what is needed and what the config allows. K3s' policy controller
 * always lets a node reach its own pods, so probes need no rule.
 * @param ingressNamespace the namespace of Traefik; undefined if it does not run
 */
export function networkPolicies(
  { isolated, allow }: NamespaceSettings,
  cluster: Cluster,
  ingressNamespace: string | undefined,
): NetworkPolicyPlan[] {
  if (!isolated) return [];
  const nodes = cluster.nodes.map(({ address }) => `${address}/32`);
  const inside = [cluster.podCidr, cluster.serviceCidr, ...nodes];
  const within = [{ podSelector: {} }];
  const given = (is: boolean, policy: NetworkPolicyPlan): NetworkPolicyPlan[] => (is ? [policy] : []);
  return [
    { name: "deny-all", ingress: [], egress: [] },
    { name: "allow-within", ingress: [{ from: within }], egress: [{ to: within }] },
    {
      name: "allow-dns",
      egress: [{ to: [{ ...inNamespace("kube-system"), ...labelled("k8s-app", "kube-dns") }], ports: DNS_PORTS }],
    },
    ...given(allow.ingress && ingressNamespace !== undefined, {
      name: "allow-ingress",
      ingress: [
        { from: [{ ...inNamespace(ingressNamespace ?? ""), ...labelled("app.kubernetes.io/name", "traefik") }] },
      ],
    }),
    ...given(allow.from.length > 0, { name: "allow-from", ingress: [{ from: allow.from.map(inNamespace) }] }),
    ...given(allow.to.length > 0, { name: "allow-to", egress: [{ to: allow.to.map(inNamespace) }] }),
    ...given(allow.outside, {
      name: "allow-outside",
      egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0", except: inside } }] }],
    }),
    ...given(allow.destinations.length > 0, {
      name: "allow-destinations",
      egress: allow.destinations.map(({ cidr, ports }) => ({
        to: [{ ipBlock: { cidr } }],
        ...(ports ? { ports: ports.map((port) => ({ protocol: "TCP", port })) } : {}),
      })),
    }),
    ...given(allow.api, {
      name: "allow-api",
      egress: [
        { to: servers(cluster).map(({ address }) => ({ ipBlock: { cidr: `${address}/32` } })), ports: API_PORT },
      ],
    }),
  ];
}
