import { loadSettings } from "../../plan/load";
import { planTailscale } from "../../plan/tailscale";
import { clusterOf, planOf } from "../support/config";

const IMAGE = `ghcr.io/tailscale/tailscale:v1.102.3@sha256:${"ab".repeat(32)}`;
const config = (tailscale: object = {}) => ({
  cluster: "organization/proxmox-k3s/homelab",
  tailscale: { image: IMAGE, ...tailscale },
});
const tailscaleOf = (tailscale?: object) => planTailscale(loadSettings(config(tailscale)), clusterOf())!;

const podOf = (tailscale?: object, at = 0) => tailscaleOf(tailscale).routers[at]!.spec.template.spec;
const envOf = (tailscale?: object, at = 0) =>
  Object.fromEntries(podOf(tailscale, at).containers[0]!.env.map(({ name, ...from }) => [name, from]));

test("a router offers both networks of the cluster to the tailnet, under a name with the cluster's name", () => {
  expect(envOf()).toMatchObject({
    TS_ROUTES: { value: "10.42.0.0/16,10.43.0.0/16" },
    TS_HOSTNAME: { value: "homelab-router-1" },
  });
});

test("it has no rights on its node: user space, an unprivileged user, no capability", () => {
  const { securityContext, containers } = podOf();
  expect(envOf()["TS_USERSPACE"]).toEqual({ value: "true" });
  expect(securityContext).toEqual({
    ...{ runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000 },
    seccompProfile: { type: "RuntimeDefault" },
  });
  expect(containers[0]!.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
  });
  expect(planOf(config()).namespaces).toEqual([
    expect.objectContaining({ name: "tailscale", podSecurity: "restricted" }),
  ]);
});

test("it logs in with a secret, and only as long as the tailnet does not know it", () => {
  expect(tailscaleOf().secrets).toEqual([{ name: "auth", data: { TS_AUTHKEY: { secret: "tailscaleAuthKey" } } }]);
  expect(envOf()).toMatchObject({
    TS_AUTHKEY: { valueFrom: { secretKeyRef: { name: "auth", key: "TS_AUTHKEY" } } },
    TS_AUTH_ONCE: { value: "true" },
    TS_KUBE_SECRET: { value: "state-1" },
  });
  expect(envOf()).not.toHaveProperty("TS_EXTRA_ARGS");
});

test("it asks for tags and uses another control server when it logs in", () => {
  const tailscale = { tags: ["tag:k3s", "tag:lab"], loginServer: "https://headscale.example.org:8443" };
  expect(envOf(tailscale)["TS_EXTRA_ARGS"]).toEqual({
    value: "--advertise-tags=tag:k3s,tag:lab --login-server=https://headscale.example.org:8443",
  });
});

test("it is ready when it is in the tailnet, so that `pulumi up` waits for that", () => {
  expect(envOf()["TS_ENABLE_HEALTH_CHECK"]).toEqual({ value: "true" });
  expect(podOf().containers[0]!.readinessProbe.httpGet).toEqual({ path: "/healthz", port: 9002 });
});

describe("several routers", () => {
  const { routers, rules } = tailscaleOf({ replicas: 2 });

  test("are separate devices, each with its own state, and replace their pod without a second one at the same time", () => {
    expect(routers.map(({ name, state }) => [name, state])).toEqual([
      ["router-1", "state-1"],
      ["router-2", "state-2"],
    ]);
    const [first, second] = routers.map(({ spec }) => spec);
    expect(first!.selector).not.toEqual(second!.selector);
    for (const { replicas, strategy, selector, template } of [first!, second!]) {
      expect([replicas, strategy]).toEqual([1, { type: "Recreate" }]);
      expect(template.metadata.labels).toEqual(selector.matchLabels);
    }
  });

  test("are kept apart by the label that both have", () => {
    const { podAntiAffinity } = podOf({ replicas: 2 }).affinity;
    const [preferred] = podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution;
    const { matchLabels } = preferred!.podAffinityTerm.labelSelector;
    for (const { spec } of routers) expect(spec.selector.matchLabels).toMatchObject(matchLabels);
  });

  test("may read and write their states, and no other secret", () => {
    expect(rules.filter(({ resources }) => resources.includes("secrets"))).toEqual([
      {
        apiGroups: [""],
        resources: ["secrets"],
        resourceNames: ["state-1", "state-2"],
        verbs: ["get", "update", "patch"],
      },
    ]);
  });
});

test("they connect to pods, the API and the outside; nobody connects to them", () => {
  const [{ policies } = { policies: [] }] = planOf(config()).namespaces;
  expect(policies.map(({ name }) => name)).toEqual([
    ...["deny-all", "allow-within", "allow-dns", "allow-outside", "allow-destinations", "allow-api"],
  ]);
  const to = policies.find(({ name }) => name === "allow-destinations")!.egress;
  expect(to).toEqual([{ to: [{ ipBlock: { cidr: "10.42.0.0/16" } }] }]);
  const from = policies.filter(({ ingress }) => ingress !== undefined && ingress.length > 0);
  expect(from.map(({ name }) => name)).toEqual(["allow-within"]);
});
