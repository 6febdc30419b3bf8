import { parse } from "yaml";
import { loadPlan } from "../../../plan/load";
import { k3sConfig } from "../../../plan/render/k3sConfig";
import { renameKubeconfig } from "../../../plan/render/kubeconfig";
import { baseConfig, changed, homelabConfig } from "../config/support";

/** The text of a node's `/etc/rancher/k3s/config.yaml`: all of K3s' options. */
function configOf(name: string, change: unknown = {}, config = baseConfig()): string {
  const plan = loadPlan(changed(config, change), {});
  return k3sConfig(
    plan.nodes.find((node) => node.name === name)!,
    plan,
  );
}

describe("config.yaml", () => {
  test("of the homelab's only server", () => {
    expect(configOf("k3s-master", {}, homelabConfig())).toMatchInlineSnapshot(`
      "agent-token-file: /etc/rancher/k3s/agent-token
      cluster-cidr: 10.42.0.0/16
      kubelet-arg:
        - provider-id=proxmox://pve/100
      node-ip: 192.168.2.20
      node-label:
        - topology.kubernetes.io/region=pve
        - topology.kubernetes.io/zone=pve
      node-name: k3s-master
      node-taint:
        - node-role.kubernetes.io/control-plane:NoSchedule
      service-cidr: 10.43.0.0/16
      tls-san:
        - 192.168.2.20
        - k3s-master
      token-file: /etc/rancher/k3s/token
      write-kubeconfig-mode: "0600""
    `);
  });

  test("of the homelab's worker", () => {
    expect(configOf("k3s-worker-01", {}, homelabConfig())).toMatchInlineSnapshot(`
      "kubelet-arg:
        - provider-id=proxmox://pve/102
      node-ip: 192.168.2.21
      node-label:
        - topology.kubernetes.io/region=pve
        - topology.kubernetes.io/zone=pve
      node-name: k3s-worker-01
      server: https://192.168.2.20:6443
      token-file: /etc/rancher/k3s/token"
    `);
  });

  test("of one server of three", () => {
    expect(configOf("base-master-2")).toMatchInlineSnapshot(`
      "agent-token-file: /etc/rancher/k3s/agent-token
      cluster-cidr: 10.42.0.0/16
      cluster-init: true
      kubelet-arg:
        - provider-id=proxmox://pve/101
      node-ip: 192.168.2.21
      node-label:
        - topology.kubernetes.io/region=pve
        - topology.kubernetes.io/zone=pve
      node-name: base-master-2
      node-taint:
        - node-role.kubernetes.io/control-plane:NoSchedule
      service-cidr: 10.43.0.0/16
      tls-san:
        - 192.168.2.21
        - base-master-2
      token-file: /etc/rancher/k3s/token
      write-kubeconfig-mode: "0600""
    `);
  });

  test("of an agent with labels and taints", () => {
    const change = {
      pools: { worker: { nodes: { 1: { labels: { "example.org/fast": true } } } } },
    };
    expect(configOf("k3s-worker-01", change)).toMatchInlineSnapshot(`
      "kubelet-arg:
        - provider-id=proxmox://pve/110
      node-ip: 192.168.2.30
      node-label:
        - storage=nvme
        - example.org/fast=true
        - topology.kubernetes.io/region=pve
        - topology.kubernetes.io/zone=pve
      node-name: k3s-worker-01
      node-taint:
        - dedicated=storage:NoSchedule
      server: https://192.168.2.20:6443
      token-file: /etc/rancher/k3s/token"
    `);
  });

  test("of a server with every setting", () => {
    const k3s = {
      disable: ["traefik", "servicelb"],
      kubeconfigMode: 640,
      tlsSans: ["k3s.lan.example.org", "192.168.2.250"],
      controlPlaneTaint: false,
      serverConfig: { "flannel-backend": "host-gw", "etcd-expose-metrics": true, "kube-apiserver-arg": ["v=2"] },
    };
    const network = { podCidr: "10.52.0.0/16", serviceCidr: "10.53.0.0/16" };
    expect(configOf("base-master-1", { k3s, network })).toMatchInlineSnapshot(`
      "agent-token-file: /etc/rancher/k3s/agent-token
      cluster-cidr: 10.52.0.0/16
      cluster-init: true
      disable:
        - traefik
        - servicelb
      etcd-expose-metrics: true
      flannel-backend: host-gw
      kube-apiserver-arg:
        - v=2
      kubelet-arg:
        - provider-id=proxmox://pve/100
      node-ip: 192.168.2.20
      node-label:
        - topology.kubernetes.io/region=pve
        - topology.kubernetes.io/zone=pve
      node-name: base-master-1
      service-cidr: 10.53.0.0/16
      tls-san:
        - 192.168.2.20
        - base-master-1
        - k3s.lan.example.org
        - 192.168.2.250
      token-file: /etc/rancher/k3s/token
      write-kubeconfig-mode: "0640""
    `);
  });

  test("of an agent with options, and texts that YAML would read as something else", () => {
    const agentConfig = { "kubelet-arg": ["max-pods=60", "v=1"], "prefer-bundled-bin": true, "lb-server-port": 6444 };
    const worker = { labels: { storage: null, version: "1.10", on: "yes" }, taints: [] };
    expect(configOf("k3s-worker-03", { k3s: { agentConfig }, pools: { worker } })).toMatchInlineSnapshot(`
      "kubelet-arg:
        - max-pods=60
        - v=1
        - provider-id=proxmox://pve/115
      lb-server-port: 6444
      node-ip: 192.168.2.35
      node-label:
        - version=1.10
        - on=yes
        - topology.kubernetes.io/region=pve
        - topology.kubernetes.io/zone=pve
      node-name: k3s-worker-03
      prefer-bundled-bin: true
      server: https://192.168.2.20:6443
      token-file: /etc/rancher/k3s/token"
    `);
  });

  test("servers and agents have only the options of their role", () => {
    const k3s = { serverConfig: { debug: true }, agentConfig: { "lb-server-port": 6445 } };
    expect(parse(configOf("base-master-1", { k3s }))).not.toHaveProperty("lb-server-port");
    expect(parse(configOf("k3s-worker-01", { k3s }))).not.toHaveProperty("debug");
  });

  test("it has no token, only the files with them", () => {
    for (const name of ["base-master-1", "k3s-worker-01"]) {
      const tokens = Object.entries(parse(configOf(name)) as object).filter(([key]) => key.includes("token"));
      for (const [key, value] of tokens)
        expect([key, value]).toEqual([
          expect.stringMatching(/-file$/),
          expect.stringMatching(/^\/etc\/rancher\/k3s\//),
        ]);
    }
  });
});

describe("the kubeconfig", () => {
  /** In the form that K3s writes (`/etc/rancher/k3s/k3s.yaml`). */
  const k3sOwn = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
users:
- name: default
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
`;

  test("has the server's address and the cluster's name everywhere, and the credentials as they were", () => {
    expect(renameKubeconfig(k3sOwn, "homelab", "https://192.168.2.20:6443")).toMatchInlineSnapshot(`
           "apiVersion: v1
           clusters:
             - cluster:
                 certificate-authority-data: Q0E=
                 server: https://192.168.2.20:6443
               name: homelab
           contexts:
             - context:
                 cluster: homelab
                 user: homelab
               name: homelab
           current-context: homelab
           kind: Config
           users:
             - name: homelab
               user:
                 client-certificate-data: Q0VSVA==
                 client-key-data: S0VZ
           "
        `);
  });

  test("is the same when it is renamed twice", () => {
    const once = renameKubeconfig(k3sOwn, "homelab", "https://192.168.2.20:6443");
    expect(renameKubeconfig(once, "homelab", "https://192.168.2.20:6443")).toBe(once);
  });
});
