import { endpointUrl } from "../../../plan/endpoint";
import { loadPlan, ConfigError } from "../../../plan/load";
import type { NodePlan } from "../../../plan/model";
import { changed, homelabConfig } from "./support";

/** `Pulumi.homelab.yaml` is S1 to S3 of the requirements; every value here is from them. */
const plan = loadPlan(homelabConfig(), {});

const TEMPLATE = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";
const common = {
  kind: "lxc",
  proxmoxNode: "pve",
  prefix: 24,
  swapMiB: 0,
  storage: "local-lvm",
  template: TEMPLATE,
  osType: "ubuntu",
  labels: {},
  packages: [],
  iscsi: false,
  startOnBoot: true,
  protect: false,
} as const;

const master: NodePlan = {
  ...common,
  name: "k3s-master",
  pool: "master",
  index: 1,
  role: "server",
  vmId: 100,
  address: "192.168.2.20",
  cores: 2,
  memoryMiB: 4096,
  diskGiB: 32,
  taints: [{ key: "node-role.kubernetes.io/control-plane", effect: "NoSchedule" }],
};

const worker = (index: number, vmId: number, address: string): NodePlan => ({
  ...common,
  name: `k3s-worker-0${index}`,
  pool: "worker",
  index,
  role: "agent",
  vmId,
  address,
  cores: 4,
  memoryMiB: 8192,
  diskGiB: 50,
  taints: [],
});

test("S1: the control plane", () => expect(plan.servers).toEqual([master]));

test("S2 and S3: the workers; VMID 101 belongs to another guest", () =>
  expect(plan.agents).toEqual([worker(1, 102, "192.168.2.21"), worker(2, 103, "192.168.2.22")]));

test("the nodes are the servers, then the agents", () => expect(plan.nodes).toEqual([...plan.servers, ...plan.agents]));

test("network, endpoint and tag", () => {
  expect(endpointUrl(plan.endpoint)).toBe("https://192.168.2.20:6443");
  expect(plan.tag).toBe("k3s-homelab");
  expect(plan.arch).toBe("amd64");
  expect(plan.network).toEqual({
    cidr: "192.168.2.0/24",
    gateway: "192.168.2.1",
    bridge: "vmbr0",
    nameservers: ["192.168.2.1"],
    podCidr: "10.42.0.0/16",
    serviceCidr: "10.43.0.0/16",
  });
});

test("the Proxmox host", () => {
  expect(plan.proxmox).toEqual({
    node: "pve",
    region: "pve",
    host: "192.168.2.167",
    sshPort: 22,
    sshUser: "root",
    hostKey: expect.stringMatching(/^ssh-ed25519 \S+/),
    endpoint: "https://192.168.2.167:8006/",
    insecure: false,
    resourcePool: "homelab",
    snippets: "local",
  });
  expect(plan.ssh.authorizedKeys).toEqual([expect.stringMatching(/^ssh-ed25519 \S+/)]);
});

test("both deviations from the sources: the release and the kubeconfig's mode", () => {
  expect(plan.version).toBe("v1.36.3+k3s1");
  expect(plan.k3s.kubeconfigMode).toBe("600");
});

test("defaults of the keys that it does not set", () => {
  expect(plan.k3s).toMatchObject({ airgapImages: false, disable: [], tlsSans: [], startTimeoutSeconds: 600 });
  expect(plan.k3s.source).toEqual({ baseUrl: "https://github.com/k3s-io/k3s/releases/download" });
  expect(plan.removal).toEqual({
    drainTimeoutSeconds: 600,
    evictionTimeoutSeconds: 3600,
    onBlocked: "stop",
    onLocalData: "stop",
    onDisks: "keep",
    allowControlPlaneLoss: false,
  });
});

test("the sources' own version and mode are accepted, with a warning each", () => {
  const asBefore = loadPlan(changed(homelabConfig(), { version: "v1.34.3+k3s1", k3s: { kubeconfigMode: "644" } }), {});
  expect(asBefore.version).toBe("v1.34.3+k3s1");
  expect(asBefore.k3s.kubeconfigMode).toBe("644");
  expect(asBefore.warnings.map(({ text }) => text)).toEqual([
    expect.stringMatching(/^the containers are privileged/),
    "K3s v1.34.3+k3s1 is out of support: Kubernetes 1.34 gets no more security fixes",
    expect.stringMatching(/^no SHA-256 is recorded for the K3s binary of v1\.34\.3\+k3s1/),
    expect.stringMatching(/has mode 644/),
  ]);
});

test("raising the count adds only the new node", () => {
  const scaled = loadPlan(changed(homelabConfig(), { pools: { worker: { count: 3 } } }), {});
  expect(scaled.nodes).toEqual([...plan.nodes, worker(3, 104, "192.168.2.23")]);
});

test("any worker can be removed without changing another", () => {
  const without = loadPlan(changed(homelabConfig(), { pools: { worker: { count: 1, retired: [1] } } }), {});
  expect(without.nodes).toEqual([master, worker(2, 103, "192.168.2.22")]);
});

test("an error is a ConfigError with a list of problems", () => {
  const wrong = changed(homelabConfig(), { pools: { worker: { count: -1 } } });
  expect(() => loadPlan(wrong, {})).toThrow(ConfigError);
  try {
    loadPlan(wrong, {});
  } catch (error) {
    expect((error as ConfigError).problems).toEqual([
      { path: "cluster.pools.worker.count", problem: "must be a whole number from 0 to 250, not -1" },
    ]);
  }
});
