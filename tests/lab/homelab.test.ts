import { spawn } from "node:child_process";
import * as fs from "node:fs";

import { findLab, labNetwork } from "../../lab/lab";
import { eventually, finish, Lab, sampler } from "../support/lab";
import { keyLines, privateKey, ProcessWatch, type Secret, secretsIn } from "../support/secretScan";

/*
 * The main purpose as a whole, with real parts: one lab from `up` to `down`, in the order in which a person works. The tests
 * build on each other, so only the first failure matters.
 */

const lab = new Lab("test");
const WORKERS = ["k3s-worker-01", "k3s-worker-02"];
const COUNT = "proxmox-k3s:cluster.pools.worker.count";

interface Status {
  guests: { vmid: number; name: string; status: string; tags: string[] }[];
  nodes: { name: string; ready: boolean; version: string; address: string; roles: string[] }[];
  k3s: string;
}
interface Pod {
  metadata: { name: string };
  spec: { nodeName: string };
  status: {
    podIP: string;
    phase: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: { containerID: string }[];
  };
}

interface Node {
  metadata: { name: string; labels: Record<string, string> };
  spec: { providerID?: string };
}

const status = async (): Promise<Status> => JSON.parse((await lab.cli("status", "--json")).stdout) as Status;
const pods = async (): Promise<Pod[]> =>
  (await lab.kubectlJson<{ items: Pod[] }>("get", "pods", "-l", "app=hello")).items;
const isReady = (pod: Pod): boolean =>
  pod.status.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false;
const up = (): Promise<string> => lab.pulumiOk("up", "--yes", "--skip-preview");
const setWorkers = (count: number): Promise<string> => lab.pulumiOk("config", "set", "--path", COUNT, String(count));

/** Start times of each node's K3s and of each guest; if they are equal before and after, nothing was restarted. */
async function starts(names: Readonly<Record<string, number>>): Promise<Record<string, string>> {
  const entries = Object.entries(names).map(async ([name, vmid]) => {
    const command = `pct exec ${vmid} -- systemctl show -p ActiveEnterTimestampMonotonic --value k3s k3s-agent; pct exec ${vmid} -- stat -c %Y /proc/1`;
    return [name, (await lab.host(command)).trim().replaceAll("\n", " ")] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
const THREE = { "k3s-master": 100, "k3s-worker-01": 102, "k3s-worker-02": 103 };

let watch: ProcessWatch;

beforeAll(async () => {
  await lab.down();
  await lab.up();
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);

describe("from nothing to three nodes", () => {
  it("makes the cluster in one up", async () => {
    watch = new ProcessWatch(["PROXMOX_VE_API_TOKEN"]);
    await up();
    const { nodes, guests } = await status();
    expect(nodes.map(({ name, ready, roles }) => ({ name, ready, server: roles.includes("control-plane") }))).toEqual([
      { name: "k3s-master", ready: true, server: true },
      { name: "k3s-worker-01", ready: true, server: false },
      { name: "k3s-worker-02", ready: true, server: false },
    ]);
    expect(guests.map(({ vmid, name, status }) => [vmid, name, status])).toEqual([
      [100, "k3s-master", "running"],
      [102, "k3s-worker-01", "running"],
      [103, "k3s-worker-02", "running"],
    ]);
    for (const guest of guests) expect(guest.tags).toEqual([`k3s-${lab.stack}`]);
  }, 600_000);

  it("registers each node with its VMID, region and zone", async () => {
    const { items } = await lab.kubectlJson<{ items: Node[] }>("get", "nodes");
    const place = ({ metadata: { name, labels }, spec }: Node): unknown[] => [
      ...[name, spec.providerID],
      ...["region", "zone"].map((of) => labels[`topology.kubernetes.io/${of}`]),
    ];
    expect(items.map(place)).toEqual(
      Object.entries(THREE).map(([name, vmid]) => [name, `proxmox://pve/${vmid}`, "pve", "pve"]),
    );
  }, 60_000);

  it("spreads three replicas over the workers, none on the server, and they reach each other", async () => {
    await lab.kubectl("apply", "-f", "lab/demo/hello.yaml");
    const ready = await eventually(120, async () => {
      const found = (await pods()).filter(isReady);
      return found.length === 3 && found;
    });
    expect([...new Set(ready.map((pod) => pod.spec.nodeName))].sort()).toEqual(WORKERS);
    const [one] = ready.filter((pod) => pod.spec.nodeName === WORKERS[0]);
    const [other] = ready.filter((pod) => pod.spec.nodeName === WORKERS[1]);
    const answer = await lab.kubectl("exec", one!.metadata.name, "--", "get", `http://${other!.status.podIP}:8080/`);
    expect(answer.trim()).toBe(other!.metadata.name);
  }, 180_000);

  it("returns a kubeconfig that works from the outside", async () => {
    const kubeconfig = await lab.pulumiOk("stack", "output", "kubeconfig", "--show-secrets");
    const file = `/tmp/kubeconfig-${process.pid}`;
    fs.writeFileSync(file, kubeconfig, { mode: 0o600 });
    try {
      expect(await lab.kubectl("--kubeconfig", file, "get", "--raw", "/readyz")).toBe("ok");
    } finally {
      fs.rmSync(file);
    }
  }, 60_000);
});

describe("secrets", () => {
  it("are only where they belong", async () => {
    const seen = await watch.stop();
    expect(watch.looks).toBeGreaterThan(20);
    const secrets = await allSecrets();
    expect(secrets.map(({ name }) => name)).toEqual([
      ...["the API token", "the passphrase", "the server token", "the agents' token"],
      ...["the kubeconfig's key", "the host's key", "the nodes' key"],
    ]);
    const places = new Map<string, string>([
      ["the exported state", await lab.pulumiOk("stack", "export")],
      ["what the commands printed", lab.transcript.join("\n")],
      ["the lab's logs", (await lab.cli("logs")).stdout],
      ["the host's logs", await lab.host("cat /var/log/proxmox-k3s/*")],
      ["the nodes", await lab.kubectl("get", "nodes", "-o", "yaml")],
      ...[...seen].map(([text, place]) => [place, text] as const),
    ]);
    for (const text of ["the exported state", "what the commands printed", "the host's logs"]) {
      expect(places.get(text)?.length).toBeGreaterThan(100);
    }
    const found = [...places].flatMap(([place, text]) => secretsIn(text, secrets).map((name) => `${name} in ${place}`));
    expect(found).toEqual([]);
  }, 120_000);

  it("are on nodes only in files that root alone can read", async () => {
    const texts = (await allSecrets()).flatMap(({ value }) => (typeof value === "string" ? [value.trim()] : []));
    const patterns = [...texts, ...privateKeys().flatMap(({ pem }) => keyLines(pem))].join("\n");
    fs.writeFileSync(`/tmp/patterns-${process.pid}`, patterns, { mode: 0o600 });
    try {
      for (const [name, vmid] of Object.entries(THREE)) {
        // Files that contain a value, and are owned or can be read by another user than root.
        const find = `pct exec ${vmid} -- sh -c 'cat >/run/patterns; find / -xdev -type f ! -path /run/patterns \\( -perm /077 -o ! -user root \\) -size -2000k -exec grep -lFf /run/patterns {} +; rm /run/patterns'`;
        const found = await lab.hostWithInput(find, patterns);
        expect({ name, found: found.trim() }).toEqual({ name, found: "" });
        const own = `pct exec ${vmid} -- sh -c 'cat >/run/patterns; grep -lFf /run/patterns /etc/rancher/k3s/token; stat -c "%a %U" /etc/rancher/k3s/token; rm /run/patterns'`;
        expect((await lab.hostWithInput(own, patterns)).trim()).toBe("/etc/rancher/k3s/token\n600 root");
      }
    } finally {
      fs.rmSync(`/tmp/patterns-${process.pid}`);
    }
  }, 180_000);
});

/** All secrets: credentials, tokens, and the kubeconfig's key. */
async function allSecrets(): Promise<Secret[]> {
  const env = lab.environment;
  const output = async (name: string) => (await lab.pulumiOk("stack", "output", name, "--show-secrets")).trim();
  const [token, agentToken, kubeconfig] = [
    await output("token"),
    await output("agentToken"),
    await output("kubeconfig"),
  ];
  const password = (k10: string) => k10.slice(k10.lastIndexOf(":") + 1);
  const clientKey = /client-key-data: (\S+)/.exec(kubeconfig)?.[1];
  expect(token).toMatch(/^K10[0-9a-f]{64}::server:\S+$/);
  expect(agentToken).toMatch(/^K10[0-9a-f]{64}::node:\S+$/);
  expect(clientKey).toBeDefined();
  return [
    { name: "the API token", value: env["PROXMOX_VE_API_TOKEN"]!.split("=")[1]! },
    { name: "the passphrase", value: fs.readFileSync(env["PULUMI_CONFIG_PASSPHRASE_FILE"]!, "utf8") },
    { name: "the server token", value: password(token) },
    { name: "the agents' token", value: password(agentToken) },
    privateKey("the kubeconfig's key", Buffer.from(clientKey!, "base64").toString()),
    ...privateKeys().map(({ name, pem }) => privateKey(name, pem)),
  ];
}

function privateKeys(): { name: string; pem: string }[] {
  const read = (variable: string): string => fs.readFileSync(lab.environment[variable]!, "utf8");
  return [
    { name: "the host's key", pem: read("PROXMOX_K3S_HOST_SSH_KEY_FILE") },
    { name: "the nodes' key", pem: read("PROXMOX_K3S_NODE_SSH_KEY_FILE") },
  ];
}

describe("a second up", () => {
  it("changes nothing and restarts nothing", async () => {
    const before = await starts(THREE);
    await lab.pulumiOk("up", "--yes", "--skip-preview", "--expect-no-changes");
    expect(await starts(THREE)).toEqual(before);
  }, 180_000);
});

describe("scaling", () => {
  it("up: adds one node and touches nothing else", async () => {
    const before = await starts(THREE);
    await setWorkers(3);
    await up();
    expect(await starts(THREE)).toEqual(before);
    const { nodes } = await status();
    expect(nodes.filter((node) => node.ready).map((node) => node.name)).toEqual([
      "k3s-master",
      ...WORKERS,
      "k3s-worker-03",
    ]);
  }, 300_000);

  it("down: at least two of three replicas are always ready, and nothing of the node is left", async () => {
    // Put a replica on the node that leaves, so that the drain has something to do.
    await lab.kubectl("rollout", "restart", "deployment/hello");
    await lab.kubectl("rollout", "status", "deployment/hello", "--timeout=120s");
    await eventually(120, async () => (await pods()).length === 3);
    expect((await pods()).map((pod) => pod.spec.nodeName)).toContain("k3s-worker-03");
    const before = await starts(THREE);
    const ready = sampler(async () => (await pods()).filter(isReady).length);
    await setWorkers(2);
    await up();
    const samples = await ready.stop();
    expect(samples.length).toBeGreaterThan(3);
    expect(Math.min(...samples)).toBeGreaterThanOrEqual(2);
    await expectGone("k3s-worker-03", 104);
    expect(await starts(THREE)).toEqual(before);
  }, 300_000);

  it("up again: this machine does not use the old node's MAC address for the new one", async () => {
    const { prefix, outerLink } = labNetwork(findLab(lab.name)!.subnet);
    const neighbour = ["neigh", "show", "dev", outerLink, "to", `${prefix}.23`];
    const old = /lladdr (\S+)/.exec((await finish("ip", neighbour, process.env)).stdout)?.[1];
    expect(old).toBeDefined();
    const monitor = spawn("ip", ["monitor", "neigh", "dev", outerLink]);
    let events = "";
    monitor.stdout.on("data", (chunk: Buffer) => (events += chunk.toString()));
    try {
      await setWorkers(3);
      await up();
    } finally {
      monitor.kill();
    }
    const seen = events.split("\n").filter((line) => line.startsWith(`${prefix}.23 `));
    expect(seen.filter((line) => !line.includes(old!))).not.toEqual([]);
    // The old entry may become stale, but nothing may use it.
    expect(seen.filter((line) => /PROBE|FAILED/.test(line) && (line.includes(old!) || !/lladdr/.test(line)))).toEqual(
      [],
    );
  }, 300_000);

  it("down: a killed machine leaves, too", async () => {
    await lab.host("pct stop 104");
    await setWorkers(2);
    await up();
    await expectGone("k3s-worker-03", 104);
  }, 400_000);
});

async function expectGone(name: string, vmid: number): Promise<void> {
  const { nodes, guests } = await status();
  expect(nodes.map((node) => node.name)).not.toContain(name);
  expect(guests.map((guest) => guest.vmid)).not.toContain(vmid);
  expect(
    await lab.kubectl("-n", "kube-system", "get", "secret", `${name}.node-password.k3s`, "--ignore-not-found"),
  ).toBe("");
  expect((await lab.host(`ls -d /etc/pve/lxc/${vmid}.conf /var/lib/lxc/${vmid} 2>/dev/null || true`)).trim()).toBe("");
}

describe("a change of existing nodes", () => {
  /** Two times on each worker, in seconds, which a shell script in the guest prints. */
  async function moments(look: string): Promise<[number, number][]> {
    const both = [102, 103].map(async (vmid) => {
      const said = (await lab.hostWithInput(`pct exec ${vmid} -- sh -e`, look)).trim().split("\n").map(Number);
      return said as [number, number];
    });
    return (await Promise.all(both)).sort(([a], [b]) => a - b);
  }
  const at = (property: string): string => `date -d "$(systemctl show -p ${property} --value k3s-agent)" +%s`;

  it("of K3s restarts it on one worker after the other, and stops no pod", async () => {
    const masters = await starts({ "k3s-master": 100 });
    const containers = async () =>
      (await pods())
        .map(({ metadata, status: { containerStatuses } }) => [metadata.name, containerStatuses?.[0]?.containerID])
        .sort();
    // The killed machine's pod may still be listed, and its replacement may not run yet.
    await eventually(60, async () => {
      const listed = await pods();
      return listed.length === 3 && listed.every(isReady);
    });
    const before = await containers();
    await lab.pulumiOk("config", "set", "--path", "proxmox-k3s:cluster.k3s.agentConfig.kubelet-arg[0]", "max-pods=60");
    await up();
    const [first, second] = await moments(`${at("InactiveExitTimestamp")}; ${at("ActiveEnterTimestamp")}`);
    expect(second![0]).toBeGreaterThan(first![1]);
    expect(await containers()).toEqual(before);
    const { items } = await lab.kubectlJson<{ items: { status: { capacity: { pods: string } } }[] }>("get", "nodes");
    expect(items.map(({ status }) => status.capacity.pods).sort()).toEqual(["110", "60", "60"]);
    expect(await starts({ "k3s-master": 100 })).toEqual(masters);
  }, 400_000);

  it("that needs a reboot takes one worker after the other, each Ready again before the next", async () => {
    const masters = await starts({ "k3s-master": 100 });
    await lab.pulumiOk("config", "set", "--path", "proxmox-k3s:cluster.pools.worker.memory", "7GB");
    expect(await lab.pulumiOk("preview")).toMatch(/k3s-worker-01: reboot, for its memory/);
    await up();
    const [first, second] = await moments(`stat -c %Y /proc/1; ${at("ActiveEnterTimestamp")}`);
    expect(second![0]).toBeGreaterThan(first![1]);
    expect((await status()).nodes.filter(({ ready }) => ready)).toHaveLength(3);
    expect(await lab.host("cat /etc/pve/lxc/102.conf /etc/pve/lxc/103.conf")).toMatch(/memory: 7168[^]*memory: 7168/);
    expect(await starts({ "k3s-master": 100 })).toEqual(masters);
  }, 400_000);
});

describe("with everything off", () => {
  it("a preview knows that nothing changes", async () => {
    await lab.cli("stop");
    await lab.pulumiOk("preview", "--expect-no-changes");
    await lab.cli("up");
    await eventually(120, async () => (await status()).nodes.filter((node) => node.ready).length === 3);
  }, 300_000);
});

describe("the end", () => {
  it("destroys the cluster, although a worker is dead", async () => {
    await lab.host("pct stop 103");
    await lab.pulumiOk("destroy", "--yes", "--skip-preview");
    expect((await status()).guests).toEqual([]);
    expect((await lab.host("ls /var/lib/proxmox-k3s /etc/pve/lxc")).trim()).not.toMatch(/[0-9a-f]{16}|\.conf/);
  }, 300_000);
});
