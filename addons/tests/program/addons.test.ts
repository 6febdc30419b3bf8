import { Output } from "@pulumi/pulumi";
import { parse, stringify } from "yaml";

import { isSecret, plainTexts, recordProgram, reveal } from "../../../tests/support/program";
import { readCluster } from "../../plan/cluster";
import { baseOutputs } from "../support/config";
import { CHART, FLUX, recordAddons, type Recording, SSH_KEY } from "../support/program";

/** A recording of a config with every add-on. */
let base: Recording;
beforeAll(async () => {
  base = await recordAddons();
});

const MINIMAL = { cluster: "organization/proxmox-k3s/homelab" };

test("nothing is deployed by default: only the connection to the cluster", async () => {
  const { resources, outputs } = await recordAddons({ addons: MINIMAL });
  expect(resources.map(({ type, name }) => `${type} ${name}`).sort()).toEqual([
    "proxmox-k3s:addons:Addons homelab",
    "pulumi:providers:kubernetes homelab",
    "pulumi:pulumi:Stack proxmox-k3s-addons-homelab",
  ]);
  expect(outputs).toMatchObject({ cluster: "homelab", apiEndpoint: "https://192.168.2.20:6443" });
});

describe("the connection", () => {
  test("the cluster's id identifies the cluster, and an unreachable cluster does not count as deleted", () => {
    const { inputs } = base.find("pulumi:providers:kubernetes", "homelab");
    expect(inputs).toMatchObject({
      clusterIdentifier: "0123456789abcdef",
      ...{ enableServerSideApply: "true", enableConfigMapMutable: "true", enableSecretMutable: "true" },
    });
    expect(inputs).not.toHaveProperty("deleteUnreachable");
  });

  test("the kubeconfig is a secret, and appears nowhere else", () => {
    const { resources, find } = base;
    const { kubeconfig } = find("pulumi:providers:kubernetes", "homelab").inputs;
    expect(isSecret(kubeconfig)).toBe(true);
    expect(reveal(kubeconfig)).toBe(baseOutputs()["kubeconfig"]);
    expect(resources.flatMap(({ inputs }) => plainTexts(inputs)).filter((text) => text.includes("S0VZ"))).toEqual([]);
  });
});

describe("every object", () => {
  test("has a field manager with a fixed name, so that an interrupted creation causes no conflict", () => {
    const { resources } = base;
    const objects = resources.filter(({ type }) => type.startsWith("kubernetes:") && !type.includes("Release"));
    expect(objects.length).toBeGreaterThan(1);
    for (const { inputs } of objects) {
      expect(inputs).toMatchObject({
        metadata: {
          annotations: { "pulumi.com/patchFieldManager": "proxmox-k3s-addons" },
          labels: { "app.kubernetes.io/managed-by": "proxmox-k3s-addons" },
        },
      });
    }
  });

  test("has a time limit, and the cluster's connection", async () => {
    const { resources, find } = await recordAddons({
      addons: { ...MINIMAL, timeout: "90s", namespaces: { apps: {} } },
    });
    expect(find("kubernetes:core/v1:Namespace", "apps").options.customTimeouts).toEqual({
      ...{ create: "90s", update: "90s", delete: "90s" },
    });
    const parents = resources.filter(({ type }) => type.startsWith("kubernetes:")).map(({ parent }) => parent);
    expect(new Set(parents)).toEqual(new Set([find("proxmox-k3s:addons:Addons", "homelab").urn]));
  });
});

test("a namespace has its level of the Pod Security Standards", () => {
  const { find } = base;
  expect(find("kubernetes:core/v1:Namespace", "legacy").inputs).toMatchObject({
    metadata: {
      name: "legacy",
      labels: {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/audit": "baseline",
        "pod-security.kubernetes.io/warn": "baseline",
      },
    },
  });
});

/** Every chart that the program can install. */
const RELEASES = {
  ...{ ingress: { traefik: "release", chart: CHART }, flux: FLUX },
  longhorn: { chart: CHART, replicas: 1 },
  monitoring: { chart: CHART },
};
const SECRETS = { gitIdentity: SSH_KEY };
const WITHOUT_TRAEFIK = { ...baseOutputs(), disabled: ["traefik"] };

test("an isolated namespace has policies, which name the directions that they deny", () => {
  const policy = (name: string) => base.find("kubernetes:networking.k8s.io/v1:NetworkPolicy", name);
  expect(policy("apps-deny-all").inputs).toMatchObject({
    metadata: { name: "deny-all", namespace: "apps" },
    spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
  });
  expect(policy("apps-allow-from").inputs).toMatchObject({ spec: { policyTypes: ["Ingress"] } });
  expect(policy("apps-allow-dns").inputs).toMatchObject({ spec: { policyTypes: ["Egress"] } });
  const namespace = base.find("kubernetes:core/v1:Namespace", "apps");
  expect(policy("apps-deny-all").options.dependencies).toContain(namespace.urn);
});

test("roles are bound for the whole cluster", () => {
  expect(
    base.find("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", "proxmox-k3s-operator").inputs,
  ).toMatchObject({
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "proxmox-k3s-operator" },
    subjects: [{ kind: "User", name: "anna@example.org" }],
  });
  const role = base.find("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "proxmox-k3s-operator");
  expect(role.inputs).toHaveProperty("rules");
});

test("every chart is pinned by its digest; a failed install is undone if possible, within the time limit", async () => {
  const addons = { ...MINIMAL, timeout: "5m", ...RELEASES };
  const { resources } = await recordAddons({ addons, cluster: WITHOUT_TRAEFIK, secrets: SECRETS });
  const releases = resources.filter(({ type }) => type === "kubernetes:helm.sh/v3:Release");
  expect(releases.map(({ name, inputs }) => [name, inputs["atomic"]]).sort()).toEqual([
    ["flux", true],
    ["kube-prometheus-stack", true],
    ["longhorn", false],
    ["traefik", true],
  ]);
  for (const { inputs, options } of releases) {
    expect(inputs).toMatchObject({ chart: `${CHART.source}@${CHART.digest}`, version: "41.3.0" });
    expect(inputs).toMatchObject({ timeout: 300 });
    expect(options.customTimeouts).toEqual({ create: "300s", update: "300s", delete: "300s" });
  }
});

describe("Helm's records of runs that were killed", () => {
  const kubeconfig = stringify({
    clusters: [{ cluster: { server: "https://192.168.2.20:6443", "certificate-authority-data": "QQ==" } }],
    users: [{ user: { "client-certificate-data": "QQ==", "client-key-data": "S0VZ" } }],
  });
  const state = {
    urn: { type: "kubernetes:helm.sh/v3:Release", outputs: { name: "flux", namespace: "flux-system" } },
  };
  const freed: unknown[][] = [];
  /** The program with a double that answers in place of the cluster. */
  async function record(preview: boolean, problems: readonly object[] = []) {
    freed.length = 0;
    const freeReleases = (plans: readonly { name: string }[], context: { standing: object; timeout: number }) => {
      freed.push([plans.map(({ name }) => name), context.standing, context.timeout]);
      return Promise.resolve(problems);
    };
    jest.doMock("../../components/releaseRecords", () => ({ freeReleases }));
    const addons = { ...MINIMAL, timeout: "5m", ...RELEASES };
    const cluster = { ...WITHOUT_TRAEFIK, kubeconfig };
    return recordAddons({ addons, cluster, secrets: SECRETS, state, preview });
  }
  afterEach(() => jest.dontMock("../../components/releaseRecords"));

  test("are checked in an up, for each release, against the state", async () => {
    await record(false);
    const names = ["traefik", "flux", "longhorn", "kube-prometheus-stack"];
    expect(freed).toEqual([[names, { releases: { flux: {} } }, 300]]);
  });

  test("are not checked in a preview, which asks no cluster", async () => {
    await record(true);
    expect(freed).toEqual([]);
  });

  test("stop an up before a resource is created, if they belong to somebody else", async () => {
    const problem = { path: "addons: the release flux", problem: "is somebody else's" };
    await expect(record(false, [problem])).rejects.toThrow(/^addons: the release flux: is somebody else's/);
  });
});

test("a missing archive is refused before a resource is created", async () => {
  const chart = { ...CHART, source: "charts/lost.tgz" };
  const addons = { ...MINIMAL, ingress: { traefik: "release", chart } };
  await expect(recordAddons({ addons, cluster: WITHOUT_TRAEFIK })).rejects.toThrow(
    /^addons: the chart of traefik: is not in addons\/charts\/lost.tgz/,
  );
});

describe("the ingress", () => {
  test("K3s' Traefik gets its values from the HelmChartConfig with its chart's name", () => {
    const { find, outputs } = base;
    const { inputs } = find("kubernetes:helm.cattle.io/v1:HelmChartConfig", "traefik");
    expect(inputs).toMatchObject({ metadata: { name: "traefik", namespace: "kube-system" } });
    const { valuesContent } = inputs["spec"] as { valuesContent: string };
    expect(parse(valuesContent)).toMatchObject({ service: { spec: { type: "NodePort" } } });
    expect(outputs).toMatchObject({ nodePorts: { http: 30080, https: 30443 } });
  });

  test("a release waits for its namespace, which the program creates", async () => {
    const { find } = await recordAddons({
      addons: { ...MINIMAL, ...RELEASES },
      cluster: WITHOUT_TRAEFIK,
      secrets: SECRETS,
    });
    const namespace = find("kubernetes:core/v1:Namespace", "traefik");
    const release = find("kubernetes:helm.sh/v3:Release", "traefik");
    expect(release.inputs).toMatchObject({ namespace: "traefik", name: "traefik" });
    expect(release.options.dependencies).toContain(namespace.urn);
  });
});

test("with mistakes in the config, or outputs missing, no resource is created", async () => {
  await expect(recordAddons({ addons: { ...MINIMAL, timeout: "soon" } })).rejects.toThrow(/^addons\.timeout: must be/);
  const { version: _, ...cluster } = baseOutputs();
  await expect(recordAddons({ cluster })).rejects.toThrow(/^addons\.cluster: outputs\.version: is missing/);
});

test("the cluster's program exports what the add-ons read", async () => {
  const { outputs } = await recordProgram({ preview: true });
  // Outputs that come from the answer of a machine are those of the fixture.
  const known = Object.entries(outputs).filter(([, value]) => !Output.isInstance(value));
  const cluster = readCluster("homelab", { ...baseOutputs(), ...Object.fromEntries(known) });
  expect(cluster.apiEndpoint).toBe("https://192.168.2.20:6443");
  expect(cluster.nodes.map(({ name, role, vmId }) => [name, role, vmId])).toEqual([
    ["k3s-master", "server", 100],
    ["k3s-worker-01", "agent", 102],
    ["k3s-worker-02", "agent", 103],
  ]);
});
