import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import type { Finding } from "../../cli/doctor/finding";
import { ensureComponent } from "../../lab/components/build";
import { installClusterServices } from "../../lab/components/clusterServices";
import { run } from "../../lab/host/run";
import { findLab, labNetwork } from "../../lab/lab";
import { pushChartDouble } from "../../lab/registry/fill";
import { ensureDebianTool } from "../../lab/support/debianTool";
import { AddonsLab } from "../support/addonsLab";
import { GitServer, type GitWorkTree } from "../support/gitServer";
import { eventually, finish, Lab } from "../support/lab";
import { privateKey, type Secret, secretsIn } from "../support/secretScan";
import { type SshServer, startSshServer } from "../support/sshServer";

/*
 * Flux by the add-ons' program: its real controllers on a cluster of one server and two agents, a real Git repository over https, SOPS, and
 * nodes that come and go, from the first `up` to `destroy`. The tests build on each other; the first failure is the one to read.
 */

const lab = new Lab("flux");
const addons = new AddonsLab(lab);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "flux-test-"));
const NODES = ["k3s-master", "k3s-worker-01", "k3s-worker-02"];
const TOKEN = randomBytes(20).toString("hex");
const PASSWORD = randomBytes(20).toString("hex");

let server: GitServer;
let sshServer: SshServer;
let repository: GitWorkTree;
let ageKey = "";

const log = (line: string): boolean => process.stderr.write(`${line}\n`);
/** How long something took, for a person who reads the run. */
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = Date.now();
  const result = await work();
  log(`${what}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

const yaml = (...lines: string[]): string => `${lines.join("\n")}\n`;
const configMap = (name: string, data: Record<string, string>): string =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "agents" }, data });

/** What belongs to a node: a ConfigMap with all that Flux knows of it, and a pod that runs there. */
const NODE_FOLDER = yaml(
  configMap("agent-${node_name}", {
    text: "${node_name} ${node_address} ${node_pool} ${node_role}",
  }),
  "---",
  "apiVersion: apps/v1",
  "kind: Deployment",
  "metadata: { name: 'agent-${node_name}', namespace: agents }",
  "spec:",
  "  selector: { matchLabels: { agent: '${node_name}' } }",
  "  template:",
  "    metadata: { labels: { agent: '${node_name}' } }",
  "    spec:",
  "      nodeSelector: { kubernetes.io/hostname: '${node_name}' }",
  "      tolerations: [{ operator: Exists, effect: NoSchedule }]",
  "      terminationGracePeriodSeconds: 2",
  "      containers: [{ name: agent, image: 'docker.io/library/lab-test:1', imagePullPolicy: Never }]",
);
const AGENTS = "apiVersion: v1\nkind: Namespace\nmetadata: { name: agents }\n";

/** Names of the ConfigMaps that the repository has, without what Kubernetes puts into each namespace. */
const configMaps = async (): Promise<string[]> =>
  (await lab.kubectl("-n", "agents", "get", "configmaps", "-o", "name"))
    .trim()
    .split("\n")
    .map((name) => name.replace("configmap/", ""))
    .filter((name) => name !== "kube-root-ca.crt");
const textOf = (name: string): Promise<string> =>
  lab.kubectl("-n", "agents", "get", "configmap", name, "-o", "jsonpath={.data.text}");
const eventuallyText = (name: string, text: string): Promise<boolean> =>
  eventually(60, async () => (await textOf(name)) === text);
/** Nodes of which an agent runs. */
const agents = async (): Promise<string[]> => {
  const pods = await lab.kubectlJson<{ items: { spec: { nodeName?: string }; status: { phase: string } }[] }>(
    ...["-n", "agents", "get", "pods"],
  );
  const running = pods.items.filter(({ status }) => status.phase === "Running");
  return running.map(({ spec }) => spec.nodeName ?? "").sort();
};

/** What `proxmox-k3s status` says of Flux: level, words, command. */
async function status(): Promise<string[]> {
  const { stdout } = await lab.cluster("status", "--json");
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return findings
    .filter(({ check }) => check === "flux")
    .map(({ level, seen, remedy = "" }) => `${level}: ${seen}${remedy && ` → ${remedy}`}`);
}
const ready = (kustomizations: number) => [`ok: Kustomizations: ${kustomizations}, sources and others: 1, all Ready`];

beforeAll(async () => {
  await lab.down();
  await lab.up("--addons");
  const { subnet } = findLab(lab.name)!;
  // The suite may have little of a busy machine.
  lab.edit((cluster) => (cluster.k3s.startTimeout = "10m"));
  await lab.pulumiOk("up", "--yes", "--skip-preview");
  await installClusterServices(findLab(lab.name)!, log);
  server = await GitServer.start(labNetwork(subnet).machine);
  repository = await server.repository("homelab");
  await repository.push({
    "cluster/namespace.yaml": AGENTS,
    "cluster/motd.yaml": configMap("motd", { text: "hello" }),
    "node/agent.yaml": NODE_FOLDER,
  });
  const chart = await pushChartDouble(addons.registry, "flux2", log);
  addons.edit((config) => {
    for (const section of ["ingress", "access", "namespaces"]) delete config[section];
    config.flux = {
      ...{ install: "chart", chart, git: { url: repository.url, ca: server.ca, interval: "5s" } },
      ...{ path: "./cluster", interval: "1m", nodes: {} },
    };
  });
}, 60 * 60_000);

afterAll(async () => {
  await server?.stop();
  await sshServer?.close();
  fs.rmSync(scratch, { recursive: true });
  await lab.down();
}, 120_000);

jest.setTimeout(900_000);

describe("the first up", () => {
  it("installs Flux, and waits until it has applied the repository, for the cluster and for each node", async () => {
    const changes = await timed("the first up", () => addons.result("up"));
    expect(changes).toMatchObject({
      "flux-git": ["create"],
      flux: ["create"],
      "flux-source": ["create"],
      "flux-cluster": ["create"],
      ...Object.fromEntries(NODES.map((name) => [`flux-node-${name}`, ["create"]])),
    });
    expect(await textOf("motd")).toBe("hello");
  });

  it("has told Flux about each node", async () => {
    expect((await configMaps()).sort()).toEqual([...NODES.map((name) => `agent-${name}`), "motd"]);
    const address = (last: number) => `${labNetwork(findLab(lab.name)!.subnet).prefix}.${last}`;
    expect(await textOf("agent-k3s-master")).toBe(`k3s-master ${address(20)} master server`);
    expect(await textOf("agent-k3s-worker-02")).toBe(`k3s-worker-02 ${address(22)} worker agent`);
    await eventually(60, async () => (await agents()).join() === NODES.join());
  });

  it("runs two controllers, as nobody, and nothing else of Flux", async () => {
    const deployments = await lab.kubectl("-n", "flux-system", "get", "deployments", "-o", "name");
    expect(deployments.trim().split("\n")).toEqual([
      "deployment.apps/kustomize-controller",
      "deployment.apps/source-controller",
    ]);
    const level = "jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}";
    expect(await lab.kubectl("get", "namespace", "flux-system", "-o", level)).toBe("restricted");
  });

  it("is seen by status", async () => {
    expect(await status()).toEqual(ready(4));
  });

  it("is followed by one that changes nothing", async () => {
    expect(await timed("the second up", () => addons.result("up"))).toEqual({});
  });
});

describe("the repository", () => {
  it("is followed: what is pushed is applied, and what is removed is deleted", async () => {
    await repository.push({
      "cluster/motd.yaml": configMap("motd", { text: "changed" }),
      "cluster/more.yaml": configMap("more", { text: "new" }),
    });
    await timed("push → applied", () => eventuallyText("more", "new"));
    await eventuallyText("motd", "changed");
    await repository.push({ "cluster/more.yaml": undefined });
    await timed("removed → deleted", () => eventually(60, async () => !(await configMaps()).includes("more")));
    expect(await textOf("motd")).toBe("changed");
  });

  it("wins over a change by hand", async () => {
    await lab.kubectl(
      "-n",
      "agents",
      "patch",
      "configmap",
      "motd",
      "--type=merge",
      "-p",
      '{"data":{"text":"by hand"}}',
    );
    await timed("changed by hand → as in the repository", () =>
      eventually(120, async () => (await textOf("motd")) === "changed"),
    );
  });

  it("may need what it makes itself, in another folder: a namespace of the cluster's", async () => {
    await repository.push({
      "cluster/later.yaml": AGENTS.replace("agents", "later"),
      "node/later.yaml": configMap("later-${node_name}", { text: "x" }).replace("agents", "later"),
    });
    await timed("namespace and its objects, in two folders", () =>
      eventually(120, async () => {
        const found = await lab.kubectl("-n", "later", "get", "configmaps", "-o", "name");
        return NODES.every((name) => found.includes(`later-${name}`));
      }),
    );
    await repository.push({ "cluster/later.yaml": undefined, "node/later.yaml": undefined });
    await eventually(120, async () => !(await lab.kubectl("get", "namespaces", "-o", "name")).includes("later"));
    await eventually(60, async () => (await status()).join() === ready(4).join());
  });
});

describe("a secret in the repository", () => {
  const file = path.join(scratch, "secret.yaml");
  const plain = { apiVersion: "v1", kind: "Secret", metadata: { name: "shop", namespace: "agents" } };

  beforeAll(async () => {
    const keygen = await ensureDebianTool("age", "age-keygen", log);
    ageKey = await run(keygen, []);
    const recipient = (await run(keygen, ["-y"], { input: ageKey })).trim();
    fs.writeFileSync(file, JSON.stringify({ ...plain, stringData: { password: PASSWORD } }), { mode: 0o600 });
    const sops = await ensureComponent("sops", log);
    // As docs/addons.md has it.
    await run(sops, ["encrypt", "--age", recipient, "--encrypted-regex", "^(data|stringData)$", "--in-place", file]);
  });

  it("is encrypted there, and in the clear in the cluster, once Flux has the key", async () => {
    const encrypted = fs.readFileSync(file, "utf8");
    expect(secretsIn(encrypted, [{ name: "password", value: PASSWORD }])).toEqual([]);
    await addons.secret("sopsAgeKey", ageKey);
    addons.edit(({ flux }) => (flux.sops = true));
    expect(await addons.result("up")).toEqual({
      "flux-sops-age": ["create"],
      ...Object.fromEntries(["cluster", ...NODES.map((name) => `node-${name}`)].map((n) => [`flux-${n}`, ["update"]])),
    });
    await repository.push({ "cluster/secret.yaml": encrypted });
    const data = ["-n", "agents", "get", "secret", "shop", "-o", "jsonpath={.data.password}"];
    const password = await timed("push → decrypted", () =>
      eventually(60, async () => Buffer.from(await lab.kubectl(...data), "base64").toString() || undefined),
    );
    expect(password).toBe(PASSWORD);
  });
});

describe("a node", () => {
  const NEW = "k3s-worker-03";
  const workers = (count: number) => lab.edit(({ pools }) => (pools.worker.count = count));
  const clusterUp = () => lab.pulumiOk("up", "--yes", "--skip-preview");

  it("that joins gets its folder with the next up of the add-ons, and status says so until then", async () => {
    workers(3);
    await timed("a third worker joins", clusterUp);
    expect(await status()).toEqual([`fail: ${NEW} has no Kustomization node-${NEW} → pulumi up in the folder addons/`]);
    const changes = await timed("its folder is applied", () => addons.result("up"));
    expect(changes).toMatchObject({ [`flux-node-${NEW}`]: ["create"] });
    expect(await textOf(`agent-${NEW}`)).toContain(NEW);
    await eventually(60, async () => (await agents()).includes(NEW));
    expect(await status()).toEqual(ready(5));
  });

  it("that left loses what Flux has applied for it with the next up of the add-ons, and status says so until then", async () => {
    workers(2);
    await timed("the third worker leaves", clusterUp);
    expect(await status()).toEqual([
      expect.stringContaining(`${NEW} is no node any more, and Flux still applies node-${NEW}`),
    ]);
    expect(await configMaps()).toContain(`agent-${NEW}`);
    const changes = await timed("its folder is deleted", () => addons.result("up"));
    expect(changes).toMatchObject({ [`flux-node-${NEW}`]: ["delete"] });
    expect(await configMaps()).not.toContain(`agent-${NEW}`);
    expect(await lab.kubectl("-n", "agents", "get", "deployments", "-o", "name")).not.toContain(NEW);
    expect(await status()).toEqual(ready(4));
  });

  it("that is suspended keeps what it has, while the others follow the repository", async () => {
    const [first, , last] = NODES as [string, string, string];
    addons.edit(({ flux }) => (flux.nodes.suspended = [last]));
    expect(await addons.result("up")).toEqual({ [`flux-node-${last}`]: ["update"] });
    await repository.push({ "node/agent.yaml": NODE_FOLDER.replace("${node_role}", "${node_role} v2") });
    await eventually(60, async () => (await textOf(`agent-${first}`)).endsWith("v2"));
    // Longer than Flux waits between two looks.
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    expect(await textOf(`agent-${last}`)).toMatch(/agent$/);
    expect(await status()).toEqual([
      expect.stringMatching(
        `^warn: .*Kustomization flux-system/node-${last} is suspended.* → take ${last} out of flux.nodes.suspended`,
      ),
    ]);
    addons.edit(({ flux }) => delete flux.nodes.suspended);
    expect(await addons.result("up")).toEqual({ [`flux-node-${last}`]: ["update"] });
    expect(await textOf(`agent-${last}`)).toMatch(/v2$/);
    expect(await status()).toEqual(ready(4));
  });
});

describe("what Flux cannot do", () => {
  const patient = () => addons.edit((config) => (config.timeout = "3m"));
  const impatient = () => addons.edit((config) => (config.timeout = "30s"));

  it("stops up with Flux' own words, the object and the next command, and status names it", async () => {
    impatient();
    addons.edit(({ flux }) => (flux.path = "./clustre"));
    const said = await timed("an up that cannot succeed", () => addons.failure("up"));
    expect(said).toMatch(
      /Kustomization flux-system\/cluster is not Ready \(ArtifactFailed\)\. Flux says: kustomization path not found: .*clustre: no such file/,
    );
    expect(said).toContain("`kubectl -n flux-system describe kustomization cluster` shows more");
    expect(await status()).toEqual([
      "fail: Kustomization flux-system/cluster is not Ready (ArtifactFailed) → kubectl -n flux-system describe kustomization cluster says why",
    ]);
    // Nothing was deleted meanwhile.
    expect(await textOf("motd")).toBe("changed");
    addons.edit(({ flux }) => (flux.path = "./cluster"));
    expect(await addons.result("up")).toEqual({ "flux-cluster": ["update"] });
    expect(await status()).toEqual(ready(4));
    patient();
  });

  it("is a private repository without its token, or with a wrong one", async () => {
    const closed = await server.repository("closed", TOKEN);
    await closed.push({
      "cluster/namespace.yaml": AGENTS,
      "cluster/motd.yaml": configMap("motd", { text: "private" }),
      "node/agent.yaml": NODE_FOLDER,
    });
    impatient();
    addons.edit(({ flux }) => (flux.git.url = closed.url));
    expect(await addons.failure("up")).toMatch(
      /GitRepository flux-system\/cluster is not Ready \(\w+\)\. Flux says: .*authentication required/,
    );
    expect(await status()).toEqual([
      expect.stringMatching(
        /^fail: GitRepository flux-system\/cluster is not Ready \(\w+\) → kubectl -n flux-system describe/,
      ),
    ]);
    await addons.secret("gitToken", randomBytes(20).toString("hex"));
    expect(await addons.failure("up")).toMatch(/Flux says: .*authentication/);
    patient();
    await addons.secret("gitToken", TOKEN);
    await timed("up with the right token", () => addons.result("up"));
    await timed("the private repository is applied", () => eventuallyText("motd", "private"));
    // It has no such secret.
    expect((await finish("kubectl", ["-n", "agents", "get", "secret", "shop"], lab.environment)).code).not.toBe(0);
    await eventually(60, async () => (await status()).join() === ready(4).join());
    expect(await addons.result("up")).toEqual({});
  });
});

describe("a repository by ssh", () => {
  it("is read with a deploy key, and what was for https is gone from the cluster", async () => {
    const { machine } = labNetwork(findLab(lab.name)!.subnet);
    sshServer = await startSshServer(undefined, machine);
    const closed = await server.repository("by-ssh");
    await closed.push({
      "cluster/namespace.yaml": AGENTS,
      "cluster/motd.yaml": configMap("motd", { text: "by ssh" }),
      "node/agent.yaml": NODE_FOLDER,
    });
    // Whatever the client asks for, as of a deploy key.
    sshServer.forcedCommand = `exec git-upload-pack '${closed.bare}'`;
    await addons.secret("gitIdentity", sshServer.clientKeys[0]);
    addons.edit(({ flux }) => {
      delete flux.git.ca;
      flux.git.url = `ssh://git@${machine}:${sshServer.port}/homelab.git`;
      flux.git.knownHosts = `[${machine}]:${sshServer.port} ${sshServer.hostKey}`;
    });
    await timed("up with an ssh URL", () => addons.result("up"));
    await eventuallyText("motd", "by ssh");
    const { data } = await lab.kubectlJson<{ data: object }>("-n", "flux-system", "get", "secret", "git");
    expect(Object.keys(data).sort()).toEqual(["identity", "known_hosts"]);
    await eventually(60, async () => (await status()).join() === ready(4).join());
    expect(await addons.result("up")).toEqual({});
  });
});

describe("secrets", () => {
  it("are in no state, no output and nothing that was printed", async () => {
    const identity = ageKey.split("\n").find((line) => line.startsWith("AGE-SECRET-KEY-"))!;
    const secrets: Secret[] = [
      { name: "the Git server's token", value: TOKEN },
      { name: "the age key", value: identity },
      privateKey("the deploy key", sshServer.clientKeys[0]),
      { name: "the password in the repository", value: PASSWORD },
    ];
    const state = (await addons.pulumi("stack", "export")).stdout;
    expect(state).toContain("flux-sops-age");
    expect(secretsIn(state, secrets)).toEqual([]);
    expect(secretsIn((await addons.pulumi("stack", "output", "--json")).stdout, secrets)).toEqual([]);
    expect(secretsIn(lab.transcript.join("\n"), secrets)).toEqual([]);
    const logs = ["source-controller", "kustomize-controller"].map((name) =>
      lab.kubectl("-n", "flux-system", "logs", `deployment/${name}`),
    );
    expect(secretsIn((await Promise.all(logs)).join("\n"), secrets)).toEqual([]);
  });
});

describe("destroy", () => {
  it("ends, and leaves nothing of Flux and of what it has applied", async () => {
    const gone = await timed("destroy", () => addons.result("destroy"));
    expect(Object.keys(gone)).toEqual(expect.arrayContaining(["flux", "flux-source", "flux-cluster"]));
    const namespaces = await lab.kubectl("get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}");
    expect(namespaces.split(" ").sort()).toEqual(["default", "kube-node-lease", "kube-public", "kube-system"]);
    const left = await lab.kubectl("get", "crds,clusterroles,clusterrolebindings", "-o", "name");
    expect(left.split("\n").filter((name) => /flux|crd-controller|cluster-reconciler/.test(name))).toEqual([]);
    expect(await status()).toEqual([]);
    expect(addons.state()!.made).toEqual([]);
  });
});
