import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { run } from "../../lab/host/run";
import { writeImageArchive } from "../../lab/k3s/images";
import { testImageFile } from "../../lab/k3s/versions";
import { findLab, labNetwork } from "../../lab/lab";
import { pushImageArchive } from "../../lab/registry/images";
import { AddonsLab, type Changes } from "../support/addonsLab";
import { pushVariant } from "../support/chartVariant";
import { askIngress, type IngressAnswer, NO_SUCH_INGRESS, TRAEFIK_CERTIFICATE } from "../../lab/support/askIngress";
import { eventually, finish, Lab } from "../support/lab";
import { privateKey, type Secret, secretsIn } from "../support/secretScan";

/*
 * The add-ons' program with the real engine, the real Kubernetes provider and a cluster of one server, from the first `up` to
 * `destroy`, in the order of a person's steps. The tests build on each other; the first failure is the one to read.
 */

const lab = new Lab("addons");
const addons = new AddonsLab(lab);
const SERVER = { name: "k3s-master", vmid: 100 };
/** The double of Traefik's chart in the lab's registry. */
let chart: { source: string; version: string; digest: string };
/** A second address of the server. */
const SECOND = 90;
const at = (last: number): string => `${labNetwork(findLab(lab.name)!.subnet).prefix}.${last}`;

const POLICIES = ["deny-all", "allow-within", "allow-dns"];
const namespaceParts = (name: string): string[] => [name, ...POLICIES.map((policy) => `${name}-${policy}`)];
const all = (names: readonly string[], word: string): Changes =>
  Object.fromEntries(names.map((name) => [name, [word]]));

beforeAll(async () => {
  await addons.raise((cluster) => {
    delete cluster.pools.worker;
    cluster.k3s.tlsSans = [at(SECOND)];
  });
  // A later test adds the chart.
  addons.edit((config) => {
    chart = config.ingress.chart;
    delete config.ingress;
  });
  await lab.pulumiOk("up", "--yes", "--skip-preview");
}, 60 * 60_000);
afterAll(() => lab.down(), 120_000);

jest.setTimeout(300_000);

describe("the lab", () => {
  it("has a node that ignores how full the host's disk is", async () => {
    const { kubeletconfig } = JSON.parse(
      await lab.kubectl("get", "--raw", `/api/v1/nodes/${SERVER.name}/proxy/configz`),
    ) as { kubeletconfig: { imageGCHighThresholdPercent: number } };
    expect(kubeletconfig.imageGCHighThresholdPercent).toBe(100);
  });

  it("has a node that gets any image from the lab's registry, also with another registry in its name", async () => {
    const image = "ghcr.io/team/pulled:1";
    await pushImageArchive(addons.registry, await ownImage(image));
    await lab.kubectl("apply", "-f", podFile("pulled", image));
    await lab.kubectl("wait", "--for=condition=Ready", "pod/pulled", "--timeout=120s");
    const events = await lab.kubectl("get", "events", "--field-selector", "involvedObject.name=pulled");
    expect(events).toContain(`Successfully pulled image "${image}"`);
    await lab.kubectl("delete", "pod", "pulled", "--now");
  });
});

describe("the first up", () => {
  it("creates what the config names, and nothing else", async () => {
    const twice = ["create", "create"];
    expect(await addons.result("up")).toEqual({
      // The engine's own provider reads the cluster's stack.
      ...all(["default", lab.stack, ...namespaceParts("apps"), "proxmox-k3s-view"], "create"),
      // A role and its binding have the same name.
      ...{ "proxmox-k3s-viewer": twice, "proxmox-k3s-operator": twice },
    });
  });

  it("creates objects of one field manager, in a namespace with its Pod Security level and its policies", async () => {
    const namespace = await lab.kubectlJson<{
      metadata: { labels: Record<string, string>; managedFields: { manager: string; operation: string }[] };
    }>("get", "namespace", "apps", "--show-managed-fields");
    expect(namespace.metadata.labels).toMatchObject({
      "pod-security.kubernetes.io/enforce": "restricted",
      "app.kubernetes.io/managed-by": "proxmox-k3s-addons",
    });
    const managers = namespace.metadata.managedFields.filter(({ operation }) => operation === "Apply");
    expect(managers.map(({ manager }) => manager)).toEqual(["proxmox-k3s-addons"]);
    const policies = await lab.kubectl("-n", "apps", "get", "networkpolicies", "-o", "name");
    expect(policies.trim().split("\n").sort()).toEqual(
      POLICIES.map((policy) => `networkpolicy.networking.k8s.io/${policy}`).sort(),
    );
  });

  it("makes the API server refuse a pod that the namespace's level forbids", async () => {
    const refused = await finish("kubectl", ["-n", "apps", "apply", "-f", podFile("bad", "x:1")], lab.environment);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('violates PodSecurity "restricted:latest"');
  });

  it.each([
    ["viewer", "family", "get", "pods", "yes"],
    ["viewer", "family", "get", "nodes", "yes"],
    ["viewer", "family", "get", "secrets", "no"],
    ["viewer", "family", "delete", "pods", "no"],
    ["nobody", "strangers", "get", "pods", "no"],
    ["anna@example.org", "none", "delete", "pods", "yes"],
    ["anna@example.org", "none", "create", "pods/eviction", "yes"],
    ["anna@example.org", "none", "patch", "nodes", "yes"],
    ["anna@example.org", "none", "get", "secrets", "no"],
    ["anna@example.org", "none", "create", "pods/exec", "no"],
    ["anna@example.org", "none", "patch", "deployments.apps", "no"],
  ])("gives %s of %s the right to %s %s: %s", async (user, group, verb, resource, answer) => {
    // kubectl reads `pods/eviction` as a pod with the name eviction.
    const [of = "", part] = resource.split("/");
    const what = part === undefined ? [of] : [of, "--subresource", part];
    const asked = ["auth", "can-i", verb, ...what, "-n", "apps", "--as", user, "--as-group", group];
    const { stdout } = await finish("kubectl", asked, lab.environment);
    expect(stdout.trim()).toBe(answer);
  });

  it("does not show the kubeconfig's key", async () => {
    const kubeconfig = await lab.pulumiOk("stack", "output", "kubeconfig", "--show-secrets");
    const key = Buffer.from(/client-key-data: (\S+)/.exec(kubeconfig)![1]!, "base64").toString();
    const secrets: Secret[] = [privateKey("the kubeconfig's key", key)];
    const state = (await addons.pulumi("stack", "export")).stdout;
    expect(state).toContain("clusterIdentifier");
    expect(secretsIn(state, secrets)).toEqual([]);
    expect(secretsIn(lab.transcript.join("\n"), secrets)).toEqual([]);
  });
});

describe("a second up", () => {
  it("changes nothing", async () => {
    expect(await addons.result("up")).toEqual({});
  });
});

describe("a chart from the registry", () => {
  const release = (more: object = {}) => ({ traefik: "release", chart, ...more });
  /** Traefik, even without an Ingress. */
  const answers = (port: number, scheme = "http"): Promise<IngressAnswer> =>
    eventually(60, () => askIngress(`${scheme}://${at(20)}:${port}/`, "shop.lab"));

  it("is refused in the preview if the registry has another content under this version", async () => {
    addons.edit((config) => {
      config.ingress = { traefik: "release", chart: { ...chart, digest: `sha256:${"0".repeat(64)}` } };
    });
    expect(await addons.failure("preview")).toContain("chart reference digest mismatch");
  });

  it("is installed by its digest, and answers on the node ports", async () => {
    addons.edit((config) => {
      config.ingress = release();
    });
    // The namespace and the release.
    expect(await addons.result("up")).toEqual({ traefik: ["create", "create"] });
    expect(await answers(30_080)).toEqual(NO_SUCH_INGRESS);
    expect(await answers(30_443, "https")).toEqual({ ...NO_SUCH_INGRESS, certificate: TRAEFIK_CERTIFICATE });
    const service = ["-n", "traefik", "get", "service", "traefik", "-o", "jsonpath={.spec.type}"];
    expect(await lab.kubectl(...service)).toBe("NodePort");
    expect(await addons.result("up")).toEqual({});
  });

  it("is upgraded in place", async () => {
    addons.edit((config) => {
      config.ingress = release({ nodePorts: { http: 30_081 } });
    });
    expect(await addons.result("up")).toEqual({ traefik: ["update"] });
    expect(await answers(30_081)).toEqual(NO_SUCH_INGRESS);
  });

  it("restores the former release if the upgrade fails", async () => {
    // No port. Helm would not notice a pod that cannot start: it accepts `maxUnavailable` missing pods of a DaemonSet.
    const broken = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "broken" },
      spec: { ports: [{ port: 443_443 }] },
    };
    const pushed = await pushVariant(addons.registry, "traefik", "broken", { "broken.yaml": JSON.stringify(broken) });
    addons.edit((config) => {
      config.timeout = "1m";
      config.ingress = release({ chart: pushed, nodePorts: { http: 30_081 } });
    });
    expect(await addons.failure("up")).toContain("443443");
    expect(await answers(30_081)).toEqual(NO_SUCH_INGRESS);
    addons.edit((config) => {
      config.timeout = "3m";
      config.ingress = release({ nodePorts: { http: 30_081 } });
    });
    await addons.result("up");
    const ready = await lab.kubectl("-n", "traefik", "rollout", "status", "daemonset/traefik", "--timeout=60s");
    expect(ready).toContain("successfully rolled out");
    expect(await addons.result("up")).toEqual({});
  });
});

describe("a preview while the API cannot be reached", () => {
  const change = (config: { namespaces: object; ingress: { nodePorts: object } }): void => {
    config.namespaces = { apps: { podSecurity: "baseline" }, more: {} };
    config.ingress.nodePorts = { http: 30_082 };
  };
  const expected = { ...all(["apps", "traefik"], "update"), ...all(namespaceParts("more"), "create") };

  it("is exact: no changes without an edit, and with one the same changes as the up after it", async () => {
    await lab.host(`pct exec ${SERVER.vmid} -- systemctl stop k3s`);
    try {
      expect(await addons.result("preview")).toEqual({});
      addons.edit(change);
      expect(await addons.result("preview")).toEqual(expected);
    } finally {
      await lab.host(`pct exec ${SERVER.vmid} -- systemctl start k3s`);
    }
    await eventually(120, async () => (await lab.kubectl("get", "--raw", "/readyz")) === "ok");
    expect(await addons.result("up")).toEqual(expected);
  });
});

describe("another address of the API", () => {
  it("replaces nothing, and the next change uses it", async () => {
    const [old, other] = [`https://${at(20)}:6443`, `https://${at(SECOND)}:6443`];
    await lab.host(`pct exec ${SERVER.vmid} -- ip address add ${at(SECOND)}/24 dev eth0`);
    await moveCluster(old, other);
    expect(await addons.result("up")).toEqual({ [lab.stack]: ["update"] });
    addons.edit((config) => delete config.namespaces.more);
    expect(await addons.result("up")).toEqual(all(namespaceParts("more"), "delete"));
    await moveCluster(other, old);
    expect(await addons.result("up")).toEqual({ [lab.stack]: ["update"] });
  });
});

describe("an up that is killed", () => {
  it("is finished by the next one, even if the config has changed and the state lacks existing objects", async () => {
    let lost: string[] = [];
    for (let attempt = 1; attempt <= 8 && lost.length === 0; attempt++) {
      const names = ["a", "b", "c", "d", "e", "f"].map((letter) => `killed-${attempt}${letter}`);
      addons.edit((config) => {
        for (const name of names) config.namespaces[name] = {};
      });
      await addons.killedUp(({ pending }) => pending.some((name) => names.includes(name)));
      const { made, pending } = addons.state()!;
      expect(pending).not.toEqual([]);
      lost = (await namespaces()).filter((name) => names.includes(name) && !made.includes(name));
      await addons.pulumi("cancel", "--yes");
      if (lost.length === 0) await addons.result("up");
    }
    expect(lost).not.toEqual([]);
    addons.edit((config) => {
      for (const name of lost) config.namespaces[name] = { podSecurity: "baseline" };
    });
    const changes = await addons.result("up");
    for (const name of lost) expect(changes).toHaveProperty(name, ["create"]);
    for (const name of lost) {
      const enforced = await lab.kubectl("get", "namespace", name, "-o", "jsonpath={.metadata.labels}");
      expect(enforced).toContain('"pod-security.kubernetes.io/enforce":"baseline"');
    }
    expect(await addons.result("up")).toEqual({});
  }, 900_000);
});

describe("destroy", () => {
  it("removes everything that the program created", async () => {
    const before = await namespaces();
    expect(before).toContain("apps");
    const gone = await addons.result("destroy");
    expect(Object.values(gone).flat()).toContain("delete");
    expect((await namespaces()).sort()).toEqual(["default", "kube-node-lease", "kube-public", "kube-system"]);
    expect(await lab.kubectl("get", "clusterroles,clusterrolebindings", "-l", OWNED, "-o", "name")).toBe("");
    expect(addons.state()!.made).toEqual([]);
  }, 600_000);
});

const OWNED = "app.kubernetes.io/managed-by=proxmox-k3s-addons";

const namespaces = async (): Promise<string[]> =>
  (await lab.kubectlJson<{ items: { metadata: { name: string } }[] }>("get", "namespaces")).items.map(
    ({ metadata }) => metadata.name,
  );

/** The outputs of the cluster's stack with another address of its API, as after a change of the first server. */
async function moveCluster(from: string, to: string): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "addons-state-"));
  const file = path.join(folder, "state.json");
  try {
    const exported = await lab.pulumiOk("stack", "export", "--show-secrets");
    interface Exported {
      deployment: { resources: { type: string; outputs?: object }[] };
    }
    const state = JSON.parse(exported) as Exported;
    const stack = state.deployment.resources.find(({ type }) => type === "pulumi:pulumi:Stack")!;
    const outputs = JSON.stringify(stack.outputs);
    expect(outputs).toContain(from);
    stack.outputs = JSON.parse(outputs.replaceAll(from, to)) as object;
    fs.writeFileSync(file, JSON.stringify(state), { mode: 0o600 });
    await lab.pulumiOk("stack", "import", "--file", file);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** An archive with an image that no node has: the lab's test image with an additional file. */
async function ownImage(name: string): Promise<string> {
  const { k3s } = findLab(lab.name)!;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "addons-image-"));
  await run("tar", ["-xf", path.join(k3s.dir, k3s.version, testImageFile), "-C", folder]);
  const [{ Layers }] = JSON.parse(fs.readFileSync(path.join(folder, "manifest.json"), "utf8")) as [
    { Layers: [string] },
  ];
  const rootfs = path.join(folder, "rootfs");
  fs.mkdirSync(rootfs);
  await run("tar", ["-xf", path.join(folder, Layers[0]), "-C", rootfs]);
  fs.writeFileSync(path.join(rootfs, "pulled"), "from the lab's registry\n");
  const archive = path.join(folder, "own.tar");
  await writeImageArchive(archive, [{ name, rootfs, entrypoint: ["/bin/lab-test"] }], path.join(folder, "scratch"));
  return archive;
}

/** A pod that can run on the server, with more than `restricted` allows. */
function podFile(name: string, image: string): string {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers: [{ name: "pod", image }], tolerations: [{ operator: "Exists" }] },
  };
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "addons-pod-")), "pod.json");
  fs.writeFileSync(file, JSON.stringify(pod));
  return file;
}
