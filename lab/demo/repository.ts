import { testImage } from "../k3s/versions";

/** What the demo's Git repository holds, for Flux to apply. */

/** Namespaces for the add-ons' config: one that Traefik may reach, one that nobody may reach, and one without policies. */
export const demoNamespaces = {
  shop: { podSecurity: "baseline", allow: { ingress: true } },
  closed: { podSecurity: "baseline" },
  open: { podSecurity: "baseline", isolated: false },
};
export type DemoNamespace = keyof typeof demoNamespaces;

/** Host name of the Ingress. */
export const INGRESS_HOST = "shop.lab";

/** The Secret whose `password` is encrypted in the repository. */
export const SECRET = { namespace: "shop", name: "database" } as const;

/** Two pods that answer with their names, one on each worker, and their service. */
function server(namespace: DemoNamespace): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${namespace}, namespace: ${namespace} }
spec:
  replicas: 2
  selector: { matchLabels: { app: ${namespace} } }
  template:
    metadata: { labels: { app: ${namespace} } }
    spec:
      terminationGracePeriodSeconds: 2
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector: { matchLabels: { app: ${namespace} } }
      containers:
        - name: server
          image: ${testImage}
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: ${namespace}, namespace: ${namespace} }
spec:
  selector: { app: ${namespace} }
  ports: [{ port: 80, targetPort: 8080 }]
`;
}

const ingress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop, namespace: shop }
spec:
  rules:
    - host: ${INGRESS_HOST}
      http:
        paths: [{ path: /, pathType: Prefix, backend: { service: { name: shop, port: { number: 80 } } } }]
`;

/** A ConfigMap that shows the demo that a commit has arrived. */
export const motd = (text: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "motd", namespace: "open" },
    data: { text },
  });

/** The Secret before it is encrypted. */
export const plainSecret = (password: string): string =>
  JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: SECRET, stringData: { password } });

const ofNode = `apiVersion: v1
kind: ConfigMap
metadata: { name: "node-\${node_name}", namespace: open }
data: { address: "\${node_address}", pool: "\${node_pool}" }
`;

/** @param encryptedSecret as SOPS has written it */
export const firstFiles = (encryptedSecret: string): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(
    (Object.keys(demoNamespaces) as DemoNamespace[]).map((name) => [`cluster/${name}.yaml`, server(name)]),
  ),
  "cluster/ingress.yaml": ingress,
  "cluster/motd.yaml": motd("first"),
  "cluster/secret.yaml": encryptedSecret,
  "node/node.yaml": ofNode,
});
