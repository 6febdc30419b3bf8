import * as fs from "node:fs";
import * as path from "node:path";

import { recordProgram, type Recording, stackCluster } from "../support/program";
import { newKeyPair } from "../support/sshKeys";

/* What other stacks can read from a cluster's stack: docs/operations.md, "What other stacks can read". */

jest.setTimeout(60_000);

// The tests must not use or stop a developer's SSH agent.
const agent = process.env["SSH_AUTH_SOCK"];
beforeAll(() => delete process.env["SSH_AUTH_SOCK"]);
afterAll(() => {
  if (agent !== undefined) process.env["SSH_AUTH_SOCK"] = agent;
});

const base = stackCluster();
const cluster = { ...base, k3s: { ...(base["k3s"] as object | undefined), disable: ["traefik", "servicelb"] } };

describe("the outputs of a stack", () => {
  let preview: Recording;
  beforeAll(async () => {
    preview = await recordProgram({ cluster, preview: true });
  });

  test("have the plan's values in a first preview already", () => {
    const { nodes, clusterId: _, kubeconfig: _k, token: _t, agentToken: _a, ...plain } = preview.outputs;
    expect(plain).toEqual({
      apiEndpoint: "https://192.168.2.20:6443",
      clusterName: "homelab",
      version: "v1.36.3+k3s1",
      podCidr: "10.42.0.0/16",
      serviceCidr: "10.43.0.0/16",
      disabled: ["traefik", "servicelb"],
      etcdMetrics: false,
      firewall: { enabled: false, extra: [] },
    });
    expect(nodes).toHaveProperty(["k3s-worker-01"], {
      ...{ role: "agent", kind: "lxc", pool: "worker", index: 1, vmId: 102 },
      ...{ address: "192.168.2.21", proxmoxNode: "pve", labels: expect.anything(), taints: [] },
    });
  });

  test("list which ports of the nodes can be reached for metrics", async () => {
    const networks = ["192.168.2.0/24", "10.42.0.0/16"];
    const monitored = {
      ...cluster,
      k3s: { ...cluster.k3s, datastore: "etcd", serverConfig: { "etcd-expose-metrics": true } },
      firewall: { enabled: true, adminNetworks: ["192.168.2.0/24"], extra: { metrics: { ports: 9100, networks } } },
    };
    const { outputs } = await recordProgram({ cluster: monitored, preview: true });
    expect(outputs).toMatchObject({
      etcdMetrics: true,
      firewall: { enabled: true, extra: [{ protocol: "tcp", ports: "9100", networks }] },
    });
  });

  test("name the further disks of virtual machines by their serials, and where one for Longhorn is mounted", async () => {
    const { outputs } = await recordProgram({ cluster: stackCluster("Pulumi.onboarding.yaml"), preview: true });
    const disks = Object.values(outputs["nodes"] as Record<string, { kind: string; disks?: unknown }>).map(
      (node) => node.disks,
    );
    const disk = { serial: "longhorn", path: "/mnt/longhorn/longhorn" };
    expect(disks).toEqual([[disk], [disk]]);
  });

  test("have the id of the cluster's anchor after the first up, which is no secret", async () => {
    const [host, node] = [newKeyPair(), newKeyPair()];
    const { outputs } = await recordProgram({
      cluster: { ...cluster, ssh: { authorizedKeys: [node.public] } },
      secrets: {
        proxmoxApiToken: "pulumi@pve!test=11111111-2222-3333-4444-555555555555",
        hostPrivateKey: host.private,
        nodePrivateKey: node.private,
      },
    });
    const known = (of: unknown) => (of as { promise: () => Promise<unknown> }).promise();
    expect(await known(preview.outputs["clusterId"])).toBeUndefined();
    expect(await known(outputs["clusterId"])).toBe("0123456789abcdef");
    expect(await (outputs["clusterId"] as { isSecret: Promise<boolean> }).isSecret).toBe(false);
  });

  test("are all in the table of their page", () => {
    const page = fs.readFileSync(path.join(__dirname, "../../docs/operations.md"), "utf8");
    const table = page.split("## What other stacks can read")[1]?.split("\n## ")[0] ?? "";
    const named = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
    expect(named.sort()).toEqual(Object.keys(preview.outputs).sort());
  });
});
