import { isSecret, plainTexts, recordProgram, reveal } from "../../../tests/support/program";
import { readCluster } from "../../plan/cluster";
import { baseOutputs, changed } from "../support/config";
import { recordAddons } from "../support/program";

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
  test("the cluster's id decides which cluster it is, and a cluster that is gone holds up no destroy", async () => {
    const { inputs } = (await recordAddons()).find("pulumi:providers:kubernetes", "homelab");
    expect(inputs).toMatchObject({
      clusterIdentifier: "0123456789abcdef",
      ...{ enableServerSideApply: "true", enableConfigMapMutable: "true", enableSecretMutable: "true" },
      deleteUnreachable: "true",
    });
  });

  test("the kubeconfig is a secret, and appears nowhere else", async () => {
    const { resources, find } = await recordAddons();
    const { kubeconfig } = find("pulumi:providers:kubernetes", "homelab").inputs;
    expect(isSecret(kubeconfig)).toBe(true);
    expect(reveal(kubeconfig)).toBe(baseOutputs()["kubeconfig"]);
    expect(resources.flatMap(({ inputs }) => plainTexts(inputs)).filter((text) => text.includes("S0VZ"))).toEqual([]);
  });
});

describe("every object", () => {
  test("is set by a field manager of a fixed name, so that a create that was cut off conflicts with nothing", async () => {
    const { resources } = await recordAddons();
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

  test("has a bounded wait, and the cluster's connection", async () => {
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

test("a namespace has its level of the Pod Security Standards", async () => {
  const { find } = await recordAddons();
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

test("a config with mistakes, or a cluster that says too little, makes no resource", async () => {
  await expect(recordAddons({ addons: { ...MINIMAL, timeout: "soon" } })).rejects.toThrow(/^addons\.timeout: must be/);
  const { version: _, ...cluster } = baseOutputs();
  await expect(recordAddons({ cluster })).rejects.toThrow(/^addons\.cluster: outputs\.version: is missing/);
});

test("the nodes are read as the cluster's program exports them", async () => {
  const { outputs } = await recordProgram({ preview: true });
  const exported = changed(baseOutputs(), { nodes: null }) as Record<string, unknown>;
  const { nodes } = readCluster("homelab", { ...exported, nodes: outputs["nodes"] });
  expect(nodes.map(({ name, role, vmId }) => [name, role, vmId])).toEqual([
    ["k3s-master", "server", 100],
    ["k3s-worker-01", "agent", 102],
    ["k3s-worker-02", "agent", 103],
  ]);
});
