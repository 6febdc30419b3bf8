import * as fs from "node:fs";
import Ajv from "ajv/dist/2020";

import { loadSettings } from "../../plan/load";
import { planIngress } from "../../plan/ingress";
import { clusterOf } from "../support/config";
import { readFacts, wrongValues } from "../support/chartValues";

const CHART = {
  source: "oci://ghcr.io/traefik/helm/traefik",
  version: "41.3.0",
  digest: `sha256:${"ab".repeat(32)}`,
};

function ingressOf(ingress: object, outputs: unknown = {}) {
  const settings = loadSettings({ cluster: "organization/proxmox-k3s/homelab", ingress });
  return planIngress(settings, clusterOf(outputs))!;
}

function valuesOf(ingress: object, outputs: unknown = {}): unknown {
  const plan = ingressOf(ingress, outputs);
  return plan.kind === "release" ? plan.release.values : plan.values;
}

/** All forms of the values. */
const FORMS: readonly [string, object][] = [
  ["the default", { traefik: "helmChartConfig" }],
  ["with the load balancer", { traefik: "helmChartConfig", loadBalancer: true }],
  ["with the clients' addresses", { traefik: "helmChartConfig", externalTrafficPolicy: "Local" }],
  ["a release", { traefik: "release", chart: CHART, nodePorts: { http: 31_080, https: 31_443 } }],
];

test("K3s' Traefik gets a pod on each node, and the two node ports", () => {
  expect(ingressOf({ traefik: "helmChartConfig" })).toEqual({
    kind: "helmChartConfig",
    namespace: "kube-system",
    nodePorts: { http: 30080, https: 30443 },
    values: {
      deployment: { kind: "DaemonSet" },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      service: { spec: { type: "NodePort" } },
      ports: { web: { nodePort: 30080 }, websecure: { nodePort: 30443 } },
    },
  });
});

test("with the load balancer, the service keeps the chart's type", () => {
  expect(valuesOf({ traefik: "helmChartConfig", loadBalancer: true })).not.toHaveProperty("service");
});

test("Traefik tolerates every taint of the plan, so that each node answers its own clients", () => {
  const outputs = { nodes: { "k3s-storage-01": { taints: [{ key: "storage", value: "only", effect: "NoExecute" }] } } };
  expect(valuesOf({ traefik: "helmChartConfig", externalTrafficPolicy: "Local" }, outputs)).toMatchObject({
    service: { spec: { type: "NodePort", externalTrafficPolicy: "Local" } },
    tolerations: [
      { key: "CriticalAddonsOnly", operator: "Exists" },
      { key: "node-role.kubernetes.io/control-plane", operator: "Exists", effect: "NoSchedule" },
      { key: "storage", operator: "Exists", effect: "NoExecute" },
    ],
  });
});

test("a release is pinned by version and digest, and has its own namespace", () => {
  expect(ingressOf({ traefik: "release", chart: CHART })).toMatchObject({
    kind: "release",
    namespace: "traefik",
    release: { name: "traefik", namespace: "traefik", chart: CHART },
  });
});

describe("the values fit the chart", () => {
  const facts = readFacts("traefik");
  // The chart writes it into the Service's spec, whose keys are Kubernetes' own.
  const free = ["service.spec"];

  test.each(FORMS)("%s: every key is one of the chart's, with its type", (_, ingress) => {
    expect(wrongValues(facts, valuesOf(ingress), free)).toEqual([]);
  });

  test.each([
    [
      "the key of charts before 40, which the schema accepts",
      { service: { type: "NodePort" } },
      "service.type: it has no such key",
    ],
    [
      "a port as a text",
      { ports: { web: { nodePort: "30080" } } },
      "ports.*.nodePort: string instead of integer or null",
    ],
    ["tls as in K3s before 1.34", { ports: { websecure: { tls: {} } } }, "ports.*.tls: it has no such key"],
  ])("%s is found", (_, values, problem) => {
    expect(wrongValues(facts, values, free)).toEqual([problem]);
  });

  // The vendor's file itself is not in the repository: TRAEFIK_SCHEMA=…/values.schema.json names it.
  const file = process.env["TRAEFIK_SCHEMA"];
  if (file !== undefined)
    test.each(FORMS)("%s: the chart's own schema accepts it", (_, ingress) => {
      const accepts = new Ajv({ strict: false }).compile(JSON.parse(fs.readFileSync(file, "utf8")) as object);
      expect([accepts(valuesOf(ingress)), accepts.errors]).toEqual([true, null]);
    });
});
