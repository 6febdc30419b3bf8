import { loadPlan } from "../../../plan/load";
import { LXC_FEATURES, LXC_RAW_LINES } from "../../../plan/lxcProfile";
import { baseConfig, changed } from "../config/support";

const planOf = (change: unknown, pins = {}) => loadPlan(changed(baseConfig(), change), pins);
const warningsOf = (change: unknown, pins = {}) => planOf(change, pins).warnings.map(({ text }) => text);
const agent = (change: unknown) => planOf({ pools: { worker: change } }).agents[0];
const SUM = "a".repeat(64);
const OTHER = "b".repeat(64);
const VERSION = "v1.36.3+k3s1";

describe("nodes", () => {
  test("overrides win over the pool, the pool over the cluster", () => {
    const own = {
      hostname: "big",
      vmId: 500,
      address: "192.168.2.99",
      mac: "bc:24:11:00:00:01",
      cores: 8,
      memory: "16GB",
      disk: "100GB",
      protect: true,
    };
    expect(agent({ storage: "fast", nodes: { 1: own } })).toMatchObject({
      ...{ name: "big", vmId: 500, address: "192.168.2.99", mac: "BC:24:11:00:00:01" },
      ...{ cores: 8, memoryMiB: 16384, diskGiB: 100, protect: true, storage: "fast" },
    });
  });

  test("a list gives entry n to index n, retired ones included", () => {
    expect(
      planOf({}).agents.map(({ index, name, vmId, address, mac }) => ({ index, name, vmId, address, mac })),
    ).toEqual([
      { index: 1, name: "k3s-worker-01", vmId: 110, address: "192.168.2.30", mac: undefined },
      { index: 3, name: "k3s-worker-03", vmId: 115, address: "192.168.2.35", mac: "BC:24:11:B3:ED:03" },
    ]);
  });

  test("labels of a node are the pool's and its own, as texts", () => {
    expect(agent({ nodes: { 1: { labels: { zone: 3, storage: false } } } })?.labels).toEqual({
      zone: "3",
      storage: "false",
    });
  });

  test.each(["example.org/tier", "node.kubernetes.io/instance-type", "topology.kubernetes.io/zone", "a.b_c-d"])(
    "the label %s is accepted",
    (key) => expect(agent({ labels: { [key]: "config" } })?.labels).toHaveProperty([key], "config"),
  );

  test("packages are the pool's, each once and in one order, and iSCSI is for a pool that needs it", () => {
    const machines = (change: object) =>
      planOf({
        pools: {
          vms: {
            ...{ kind: "vm", role: "agent", count: 1, template: 9000, cores: 2, memory: "4GB", disk: "20GB" },
            ...{ vmIds: { from: 520 }, addresses: { from: "192.168.2.140" }, ...change },
          },
        },
      }).agents.find(({ pool }) => pool === "vms");
    expect(machines({ packages: ["open-iscsi", "jq", "open-iscsi"] })).toMatchObject({
      packages: ["jq", "open-iscsi"],
      iscsi: true,
    });
    expect(machines({ labels: { storage: "longhorn" } })).toMatchObject({ packages: [], iscsi: true });
    expect(agent({ packages: ["nfs-common"] })).toMatchObject({ packages: ["nfs-common"], iscsi: false });
    expect(agent({})).toMatchObject({ packages: [], iscsi: false });
  });

  test("the system follows from the template, unless it is set", () => {
    expect(agent({ template: "local:vztmpl/debian-13-standard_13.1-1_amd64.tar.zst" })).toMatchObject({
      osType: "debian",
    });
    expect(agent({ template: "local:vztmpl/golden.tar.gz", osType: "fedora" })).toMatchObject({ osType: "fedora" });
  });

  test("a machine with NixOS is marked so, and cloud-init installs no guest agent in it; others are not marked", () => {
    const vms = (pool: object) => agent({ kind: "vm", template: null, ...pool });
    const image = { volume: "local:import/nixos.qcow2" };
    expect(vms({ image, os: "nixos" })).toMatchObject({ os: "nixos", installAgent: false });
    expect(vms({ image })).toMatchObject({ installAgent: true });
    expect(vms({ image })).not.toHaveProperty("os");
  });

  test("delays of the start order are in seconds, and absent if the config has none", () => {
    expect(agent({ startup: { order: 2, upDelay: "1m30s" } })?.startup).toEqual({ order: 2, upDelaySeconds: 90 });
    expect(agent({ startup: { downDelay: "2m" } })?.startup).toEqual({ downDelaySeconds: 120 });
    expect(agent({ startup: {} })).not.toHaveProperty("startup");
    expect(agent({})).not.toHaveProperty("startup");
  });

  test("the order does not depend on the order in the file", () => {
    const config = baseConfig() as { pools: Record<string, unknown> };
    const reversed = { ...config, pools: Object.fromEntries(Object.entries(config.pools).reverse()) };
    expect(loadPlan(reversed, {})).toEqual(loadPlan(config, {}));
  });
});

describe("the control plane's taint", () => {
  const CONTROL_PLANE = { key: "node-role.kubernetes.io/control-plane", effect: "NoSchedule" };
  const serverTaints = (change: unknown) => planOf(change).servers.map(({ taints }) => taints);

  test("is on every server, and on no agent", () => {
    expect(serverTaints({})).toEqual([[CONTROL_PLANE], [CONTROL_PLANE], [CONTROL_PLANE]]);
    expect(planOf({}).agents[0]?.taints).toEqual([{ key: "dedicated", value: "storage", effect: "NoSchedule" }]);
  });

  test("does not change when agents are scaled to zero, so that no server changes", () => {
    expect(planOf({ pools: { worker: { count: 0 } } }).servers).toEqual(planOf({}).servers);
  });

  test("is off if there is no pool of agents", () => {
    expect(serverTaints({ pools: { worker: null, spare: null } })).toEqual([[], [], []]);
  });

  test("can be set in the config", () => {
    expect(serverTaints({ k3s: { controlPlaneTaint: false } })).toEqual([[], [], []]);
    expect(serverTaints({ k3s: { controlPlaneTaint: true }, pools: { worker: null, spare: null } })[0]).toEqual([
      CONTROL_PLANE,
    ]);
  });

  test("is not added twice if the pool already has it", () => {
    expect(
      serverTaints({ pools: { master: { taints: ["node-role.kubernetes.io/control-plane:NoSchedule"] } } })[0],
    ).toEqual([CONTROL_PLANE]);
  });
});

describe("SHA-256 sums", () => {
  const pins = { [VERSION]: { amd64: { k3s: SUM, images: SUM } } };
  const sums = (change: unknown, known = {}) => {
    const { sha256, sumOrigin, imagesSha256, imagesSumOrigin } = planOf({ k3s: { artifacts: change } }, known).k3s;
    return { sha256, sumOrigin, imagesSha256, imagesSumOrigin };
  };

  test("come from the config first", () => {
    expect(sums({ sha256: { amd64: OTHER.toUpperCase() } }, pins)).toEqual({
      ...{ sha256: { amd64: OTHER }, sumOrigin: "config" },
      ...{ imagesSha256: { amd64: SUM }, imagesSumOrigin: "pins" },
    });
  });

  test("then from the pins", () => {
    expect(sums({}, pins)).toMatchObject({ sha256: { amd64: SUM }, sumOrigin: "pins" });
  });

  test("then from the release's own list, with a warning that names the pin command", () => {
    expect(sums({})).toEqual({ sha256: {}, sumOrigin: "release", imagesSha256: {}, imagesSumOrigin: "release" });
    expect(warningsOf({})).toContainEqual(expect.stringContaining("`npx proxmox-k3s pin v1.36.3+k3s1` records it"));
    expect(warningsOf({}, pins)).not.toContainEqual(expect.stringContaining("npx proxmox-k3s pin"));
  });

  const ARM64_TEMPLATE = "local:vztmpl/debian-12-standard_12.7-1_arm64.tar.zst";

  test("of another architecture do not count", () => {
    expect(sums({ sha256: { arm64: SUM } })).toMatchObject({ sumOrigin: "release" });
    expect(
      planOf({
        proxmox: { architecture: "arm64", template: ARM64_TEMPLATE },
        k3s: { artifacts: { sha256: { arm64: SUM } } },
      }).k3s.sumOrigin,
    ).toBe("config");
  });

  test("of another version do not count", () => {
    expect(planOf({ version: "v1.36.4+k3s1" }, pins).k3s.sumOrigin).toBe("release");
  });

  test("requirePinned accepts pins, and sums in the config", () => {
    expect(() => planOf({ k3s: { artifacts: { requirePinned: true, airgapImages: true } } }, pins)).not.toThrow();
    expect(() => planOf({ k3s: { artifacts: { requirePinned: true, sha256: { amd64: SUM } } } })).not.toThrow();
  });

  test("a local file needs a sum in the config", () => {
    const file = { file: "/var/lib/vz/k3s/k3s", sha256: { amd64: SUM } };
    expect(planOf({ k3s: { artifacts: file } }).k3s).toMatchObject({
      source: { file: file.file },
      sumOrigin: "config",
    });
  });
});

describe("warnings", () => {
  test("a valid config has only the warning about privileged containers, once", () => {
    expect(warningsOf({ k3s: { artifacts: { sha256: { amd64: SUM } } } })).toEqual([
      "the containers are privileged, unconfined and may use every device: root in a container, or in a privileged pod in it, " +
        "is root on the Proxmox node pve, so run only workloads there that you would trust with the host itself",
    ]);
  });

  test.each([
    [
      "unverified TLS",
      { proxmox: { insecure: true } },
      /^the TLS certificate of https:\/\/192\.168\.2\.167:8006\/ is not verified/,
    ],
    [
      "the only server at risk",
      { removal: { allowControlPlaneLoss: true } },
      /^cluster\.removal\.allowControlPlaneLoss is set/,
    ],
    ["a release newer than the program", { version: "v1.38.0+k3s1" }, /^K3s v1\.38\.0\+k3s1 is newer than 1\.37/],
    ["a release out of support", { version: "v1.33.5+k3s1" }, /^K3s v1\.33\.5\+k3s1 is out of support/],
    [
      "a retired index above all nodes",
      { pools: { worker: { retired: [2, 20] } } },
      /^cluster\.pools\.worker\.retired names 20/,
    ],
    [
      "no node for ordinary pods",
      { pools: { worker: { count: 0 } } },
      /^there is no agent and every server is tainted/,
    ],
  ])("%s", (_, change, expected) => {
    expect(warningsOf(change)).toContainEqual(expect.stringMatching(expected));
    expect(warningsOf({})).not.toContainEqual(expect.stringMatching(expected));
  });

  test("name the key that causes them, if it is a single key", () => {
    const { warnings } = planOf({ proxmox: { insecure: true }, pools: { worker: { retired: [2, 20] } } });
    expect(warnings.map(({ path }) => path)).toEqual([
      undefined,
      "cluster.k3s.artifacts",
      "cluster.proxmox.insecure",
      "cluster.pools.worker.retired",
    ]);
  });

  test.each(["v1.35.0+k3s1", "v1.36.3+k3s1", "v1.37.9+k3s2"])("%s is in support", (version) =>
    expect(warningsOf({ version })).not.toContainEqual(expect.stringContaining(version.concat(" is "))),
  );
});

test("the containers' raw options are S1's, word for word", () => {
  expect(LXC_FEATURES).toBe("nesting=1,keyctl=1,fuse=1");
  expect(LXC_RAW_LINES).toEqual([
    "lxc.mount.entry: /dev/kmsg dev/kmsg none bind,rw,optional,create=file",
    "lxc.apparmor.profile: unconfined",
    "lxc.cap.drop:",
    "lxc.cgroup2.devices.allow: a",
    "lxc.mount.auto: proc:rw sys:rw",
  ]);
});
