import { podSecurityLabels } from "../../plan/namespaces";
import { baseConfig, changed, planOf } from "../support/config";

/** The policies of one namespace, by name. */
function policiesOf(namespace: object, change: object = {}, outputs: object = {}) {
  const config = changed(changed(baseConfig(), { namespaces: { apps: null } }), {
    namespaces: { apps: namespace },
    ...change,
  });
  const { policies } = planOf(config, outputs).namespaces.find(({ name }) => name === "apps")!;
  return Object.fromEntries(policies.map(({ name, ...rules }) => [name, rules]));
}

const DENIED = ["deny-all", "allow-within", "allow-dns"];

test("a namespace is isolated: only its own pods and DNS are allowed", () => {
  expect(policiesOf({})).toEqual({
    "deny-all": { ingress: [], egress: [] },
    "allow-within": { ingress: [{ from: [{ podSelector: {} }] }], egress: [{ to: [{ podSelector: {} }] }] },
    "allow-dns": {
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
              podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
            },
          ],
          ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
          ],
        },
      ],
    },
  });
});

test("a namespace that is not isolated has no policy", () => expect(policiesOf({ isolated: false })).toEqual({}));

describe("Traefik is allowed from its namespace", () => {
  const from = (namespace: string) => ({
    ingress: [
      {
        from: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
            podSelector: { matchLabels: { "app.kubernetes.io/name": "traefik" } },
          },
        ],
      },
    ],
  });
  const chart = { source: "charts/traefik.tgz", version: "41.3.0", digest: `sha256:${"0".repeat(64)}` };

  test.each([
    ["K3s' own, also without a config of the ingress", "kube-system", { ingress: null }, {}],
    ["one of a chart", "traefik", { ingress: { traefik: "release", chart } }, { disabled: ["traefik"] }],
  ])("%s", (_, namespace, change, outputs) => {
    const policies = policiesOf({ allow: { ingress: true } }, change, outputs);
    expect(policies["allow-ingress"]).toEqual(from(namespace));
  });
});

test("other namespaces are allowed in the directions that the config names", () => {
  const policies = policiesOf({ allow: { from: ["monitoring"], to: ["databases"] } });
  const peer = (name: string) => ({ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } } });
  expect(policies["allow-from"]).toEqual({ ingress: [{ from: [peer("monitoring")] }] });
  expect(policies["allow-to"]).toEqual({ egress: [{ to: [peer("databases")] }] });
});

test("outside is everything except pods, services and the nodes of the plan", () => {
  expect(policiesOf({ allow: { outside: true } })["allow-outside"]).toEqual({
    egress: [
      {
        to: [
          {
            ipBlock: {
              cidr: "0.0.0.0/0",
              except: [
                ...["10.42.0.0/16", "10.43.0.0/16"],
                ...["192.168.2.20/32", "192.168.2.30/32", "192.168.2.21/32"],
              ],
            },
          },
        ],
      },
    ],
  });
});

test("single destinations are allowed with their ports, or with all ports", () => {
  const destinations = [{ cidr: "192.168.2.40/32", ports: [5432] }, { cidr: "10.9.0.0/24" }];
  expect(policiesOf({ allow: { destinations } })["allow-destinations"]).toEqual({
    egress: [
      { to: [{ ipBlock: { cidr: "192.168.2.40/32" } }], ports: [{ protocol: "TCP", port: 5432 }] },
      { to: [{ ipBlock: { cidr: "10.9.0.0/24" } }] },
    ],
  });
});

test("the API is allowed at the servers' own addresses and port", () => {
  const policies = policiesOf({ allow: { api: true } });
  expect(policies["allow-api"]).toEqual({
    egress: [{ to: [{ ipBlock: { cidr: "192.168.2.20/32" } }], ports: [{ protocol: "TCP", port: 6443 }] }],
  });
  expect(Object.keys(policies).filter((name) => !DENIED.includes(name))).toEqual(["allow-api"]);
});

test("a level of the Pod Security Standards is enforced, audited and warned of", () => {
  expect(podSecurityLabels("restricted")).toEqual({
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
  });
});
