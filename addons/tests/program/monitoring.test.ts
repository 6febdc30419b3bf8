import { CHART, leaked, PASSWORD, recordAddons, type Recording, secretText } from "../support/program";

const RELEASE = "kubernetes:helm.sh/v3:Release";
const addons = {
  cluster: "organization/proxmox-k3s/homelab",
  longhorn: { chart: CHART, replicas: 1 },
  monitoring: { chart: CHART, grafana: {}, storage: { class: "longhorn", size: "20GB" } },
};

let recording: Recording;
beforeAll(async () => {
  recording = await recordAddons({ addons, secrets: { grafanaPassword: PASSWORD } });
});

test("the chart waits for both namespaces, the password, and Longhorn, whose volume it uses", () => {
  const { find } = recording;
  const { dependencies } = find(RELEASE, "kube-prometheus-stack").options;
  const awaited = [
    find("kubernetes:core/v1:Namespace", "monitoring"),
    find("kubernetes:core/v1:Namespace", "node-exporter"),
    find("kubernetes:core/v1:Secret", "monitoring-grafana-admin"),
    find(RELEASE, "longhorn"),
  ];
  for (const { urn } of awaited) expect(dependencies).toContain(urn);
});

test("objects of the kinds that the chart installs are created after it", () => {
  const release = recording.find(RELEASE, "kube-prometheus-stack");
  const objects = recording.resources.filter(({ type }) => type.startsWith("kubernetes:monitoring.coreos.com/"));
  expect(objects.map(({ name }) => name).sort()).toEqual([
    "monitoring-prometheusrule-proxmox-k3s",
    "monitoring-servicemonitor-longhorn",
  ]);
  for (const { options } of objects) expect(options.dependencies).toContain(release.urn);
});

test("Grafana's sidecar finds the dashboard by its label", () => {
  expect(recording.find("kubernetes:core/v1:ConfigMap", "monitoring-dashboard-nodes").inputs).toMatchObject({
    metadata: { namespace: "monitoring", labels: { grafana_dashboard: "1" } },
    data: { "dashboard-nodes.json": expect.stringContaining('"title":"Nodes of homelab"') },
  });
});

test("Grafana's password is a secret", () => {
  expect(secretText(recording, "monitoring-grafana-admin", "admin-password")).toBe(PASSWORD);
  expect(leaked(recording, PASSWORD)).toEqual([]);
});

test("Grafana is not created without a password or with a short one, and no message shows the password", async () => {
  await expect(recordAddons({ addons, secrets: {} })).rejects.toThrow(
    "proxmox-k3s-addons:grafanaPassword: is missing: it must be a password of at least 12 characters, in one line (`pulumi config set --secret grafanaPassword`)",
  );
  const message = await recordAddons({ addons, secrets: { grafanaPassword: "hunter2" } }).then(
    () => "accepted",
    (reason: Error) => reason.message,
  );
  expect(message).toMatch(/grafanaPassword: must be a password of at least 12 characters/);
  expect(message).not.toContain("hunter2");
});

test("a policy for some pods names their labels", () => {
  const policy = recording.find("kubernetes:networking.k8s.io/v1:NetworkPolicy", "longhorn-system-allow-monitoring");
  expect(policy.inputs).toMatchObject({
    metadata: { name: "allow-monitoring", namespace: "longhorn-system" },
    spec: { podSelector: { matchLabels: { app: "longhorn-manager" } }, policyTypes: ["Ingress"] },
  });
});
