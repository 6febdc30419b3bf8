import { randomBytes } from "node:crypto";

import { installClusterServices } from "../../lab/components/clusterServices";
import { findLab, labNetwork } from "../../lab/lab";
import { pushChartDouble } from "../../lab/registry/fill";
import { encryptSecret } from "../../lab/support/sops";
import { AddonsLab } from "../support/addonsLab";
import { allReady, configMap, firstFiles, FluxLab, namespace, nodeFolder } from "../support/fluxLab";
import { GitServer, type GitWorkTree } from "../../lab/git/gitServer";
import { eventually, Lab } from "../support/lab";
import { privateKey, type Secret, secretsIn } from "../support/secretScan";
import { type SshServer, startSshServer } from "../support/sshServer";
import { log, timed } from "../support/timed";

/*
 * Flux by the add-ons' program: its real controllers on a cluster of one server and two agents, a real Git repository over https, SOPS, and
 * nodes that join and leave, from the first `up` to `destroy`. The tests build on each other; the first failure is the one to read.
 */

const lab = new Lab("flux");
const addons = new AddonsLab(lab);
const flux = new FluxLab(lab);
const NODES = ["k3s-master", "k3s-worker-01", "k3s-worker-02"];
const TOKEN = randomBytes(20).toString("hex");
const PASSWORD = randomBytes(20).toString("hex");

let server: GitServer;
let sshServer: SshServer;
let repository: GitWorkTree;
let ageKey = "";

beforeAll(async () => {
  await addons.raise();
  const { subnet } = findLab(lab.name)!;
  await lab.pulumiOk("up", "--yes", "--skip-preview");
  await installClusterServices(findLab(lab.name)!, log);
  server = await GitServer.start(labNetwork(subnet).machine);
  repository = await server.repository("homelab");
  await repository.push(firstFiles("hello"));
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
    expect(await flux.text("motd")).toBe("hello");
  });

  it("gives Flux each node's data", async () => {
    expect(await flux.configMaps()).toEqual([...NODES.map((name) => `agent-${name}`), "motd"]);
    const address = (last: number) => `${labNetwork(findLab(lab.name)!.subnet).prefix}.${last}`;
    expect(await flux.text("agent-k3s-master")).toBe(`k3s-master ${address(20)} master server`);
    expect(await flux.text("agent-k3s-worker-02")).toBe(`k3s-worker-02 ${address(22)} worker agent`);
    await eventually(60, async () => (await flux.agents()).join() === NODES.join());
  });

  it("runs two controllers, as the user nobody, and nothing else of Flux", async () => {
    const deployments = await lab.kubectl("-n", "flux-system", "get", "deployments", "-o", "name");
    expect(deployments.trim().split("\n")).toEqual([
      "deployment.apps/kustomize-controller",
      "deployment.apps/source-controller",
    ]);
    const level = "jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}";
    expect(await lab.kubectl("get", "namespace", "flux-system", "-o", level)).toBe("restricted");
  });

  it("is shown by status", async () => {
    expect(await flux.status()).toEqual(allReady(4));
  });

  it("is followed by an up that changes nothing", async () => {
    expect(await timed("the second up", () => addons.result("up"))).toEqual({});
  });
});

describe("the repository", () => {
  it("is watched: what is pushed is applied, and what is removed is deleted", async () => {
    await repository.push({
      "cluster/motd.yaml": configMap("motd", "changed"),
      "cluster/more.yaml": configMap("more", "new"),
    });
    await timed("push → applied", () => flux.eventuallyText("more", "new"));
    await flux.eventuallyText("motd", "changed");
    await repository.push({ "cluster/more.yaml": undefined });
    await timed("removed → deleted", () => eventually(60, async () => !(await flux.configMaps()).includes("more")));
    expect(await flux.text("motd")).toBe("changed");
  });

  it("wins over a change by hand", async () => {
    const patch = JSON.stringify({ data: { text: "by hand" } });
    await lab.kubectl("-n", "agents", "patch", "configmap", "motd", "--type=merge", "-p", patch);
    await timed("changed by hand → as in the repository", () =>
      eventually(120, async () => (await flux.text("motd")) === "changed"),
    );
  });

  it("may depend on another of its folders: a namespace from the cluster's folder", async () => {
    await repository.push({
      "cluster/later.yaml": namespace("later"),
      "node/later.yaml": configMap("later-${node_name}", "x", "later"),
    });
    await timed("namespace and its objects, in two folders", () =>
      eventually(120, async () => {
        const found = await flux.configMaps("later");
        return found.join() === NODES.map((name) => `later-${name}`).join();
      }),
    );
    await repository.push({ "cluster/later.yaml": undefined, "node/later.yaml": undefined });
    await eventually(120, async () => !(await lab.kubectl("get", "namespaces", "-o", "name")).includes("later"));
    await flux.eventuallySays(...allReady(4));
  });
});

describe("a secret in the repository", () => {
  const plain = { apiVersion: "v1", kind: "Secret", metadata: { name: "shop", namespace: "agents" } };
  let encrypted = "";

  beforeAll(async () => {
    const manifest = JSON.stringify({ ...plain, stringData: { password: PASSWORD } });
    ({ text: encrypted, ageKey } = await encryptSecret(manifest, log));
  });

  it("is encrypted there, and decrypted in the cluster once Flux has the key", async () => {
    expect(secretsIn(encrypted, [{ name: "password", value: PASSWORD }])).toEqual([]);
    await addons.secret("sopsAgeKey", ageKey);
    addons.edit((config) => (config.flux.sops = true));
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
    expect(await flux.status()).toEqual([
      `fail: ${NEW} has no Kustomization node-${NEW} → pulumi up in the folder addons/`,
    ]);
    const changes = await timed("its folder is applied", () => addons.result("up"));
    expect(changes).toMatchObject({ [`flux-node-${NEW}`]: ["create"] });
    expect(await flux.text(`agent-${NEW}`)).toContain(NEW);
    await eventually(60, async () => (await flux.agents()).includes(NEW));
    expect(await flux.status()).toEqual(allReady(5));
  });

  it("that left loses what Flux has applied for it with the next up of the add-ons, and status says so until then", async () => {
    workers(2);
    await timed("the third worker leaves", clusterUp);
    expect(await flux.status()).toEqual([
      expect.stringContaining(`${NEW} is no longer a node, but Flux still applies node-${NEW}`),
    ]);
    expect(await flux.configMaps()).toContain(`agent-${NEW}`);
    const changes = await timed("its folder is deleted", () => addons.result("up"));
    expect(changes).toMatchObject({ [`flux-node-${NEW}`]: ["delete"] });
    expect(await flux.configMaps()).not.toContain(`agent-${NEW}`);
    expect(await lab.kubectl("-n", "agents", "get", "deployments", "-o", "name")).not.toContain(NEW);
    expect(await flux.status()).toEqual(allReady(4));
  });

  it("that is suspended keeps what it has, while the others get the repository's changes", async () => {
    const [first, , last] = NODES as [string, string, string];
    addons.edit((config) => (config.flux.nodes.suspended = [last]));
    expect(await addons.result("up")).toEqual({ [`flux-node-${last}`]: ["update"] });
    await repository.push({ "node/agent.yaml": nodeFolder(" v2") });
    await eventually(60, async () => (await flux.text(`agent-${first}`)).endsWith("v2"));
    // Longer than the time between two checks of Flux.
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    expect(await flux.text(`agent-${last}`)).toMatch(/agent$/);
    expect(await flux.status()).toEqual([
      expect.stringMatching(
        `^warn: .*Kustomization flux-system/node-${last} is suspended.* → remove ${last} from flux.nodes.suspended`,
      ),
    ]);
    addons.edit((config) => delete config.flux.nodes.suspended);
    expect(await addons.result("up")).toEqual({ [`flux-node-${last}`]: ["update"] });
    expect(await flux.text(`agent-${last}`)).toMatch(/v2$/);
    expect(await flux.status()).toEqual(allReady(4));
  });
});

describe("what Flux cannot do", () => {
  const patient = () => addons.edit((config) => (config.timeout = "3m"));
  const impatient = () => addons.edit((config) => (config.timeout = "30s"));

  it("stops up with Flux' own message, the object and the next command, and status names it", async () => {
    impatient();
    addons.edit((config) => (config.flux.path = "./clustre"));
    const said = await timed("an up that cannot succeed", () => addons.failure("up"));
    expect(said).toMatch(
      /Kustomization flux-system\/cluster is not Ready \(ArtifactFailed\)\. Flux says: kustomization path not found: .*clustre: no such file/,
    );
    expect(said).toContain("`kubectl -n flux-system describe kustomization cluster` shows more");
    await flux.eventuallySays(
      "fail: Kustomization flux-system/cluster is not Ready (ArtifactFailed) → kubectl -n flux-system describe kustomization cluster says why",
    );
    // Nothing was deleted in the meantime.
    expect(await flux.text("motd")).toBe("changed");
    addons.edit((config) => (config.flux.path = "./cluster"));
    expect(await addons.result("up")).toEqual({ "flux-cluster": ["update"] });
    expect(await flux.status()).toEqual(allReady(4));
    patient();
  });

  it("is a private repository without its token, or with a wrong one", async () => {
    const closed = await server.repository("closed", TOKEN);
    await closed.push(firstFiles("private"));
    impatient();
    addons.edit((config) => (config.flux.git.url = closed.url));
    expect(await addons.failure("up")).toMatch(
      /GitRepository flux-system\/cluster is not Ready \(\w+\)\. Flux says: .*authentication required/,
    );
    await flux.eventuallySays(
      /^fail: GitRepository flux-system\/cluster is not Ready \(\w+\) → kubectl -n flux-system describe gitrepository/,
    );
    await addons.secret("gitToken", randomBytes(20).toString("hex"));
    expect(await addons.failure("up")).toMatch(/Flux says: .*authentication/);
    patient();
    await addons.secret("gitToken", TOKEN);
    await timed("up with the right token", () => addons.result("up"));
    await timed("the private repository is applied", () => flux.eventuallyText("motd", "private"));
    // This repository does not have the secret of the other tests.
    await eventually(
      60,
      async () => !(await lab.kubectl("-n", "agents", "get", "secrets", "-o", "name")).includes("shop"),
    );
    await flux.eventuallySays(...allReady(4));
    expect(await addons.result("up")).toEqual({});
  });
});

describe("a repository by ssh", () => {
  it("is read with a deploy key, and the secret's values for https are gone from the cluster", async () => {
    const { machine } = labNetwork(findLab(lab.name)!.subnet);
    sshServer = await startSshServer(undefined, machine);
    const closed = await server.repository("by-ssh");
    await closed.push(firstFiles("by ssh"));
    // sshd runs this for any command of the client, as with a deploy key.
    sshServer.forcedCommand = `exec git-upload-pack '${closed.bare}'`;
    await addons.secret("gitIdentity", sshServer.clientKeys[0]);
    addons.edit(({ flux: { git } }) => {
      delete git.ca;
      git.url = `ssh://git@${machine}:${sshServer.port}/homelab.git`;
      git.knownHosts = `[${machine}]:${sshServer.port} ${sshServer.hostKey}`;
    });
    await timed("up with an ssh URL", () => addons.result("up"));
    await flux.eventuallyText("motd", "by ssh");
    const { data } = await lab.kubectlJson<{ data: object }>("-n", "flux-system", "get", "secret", "git");
    expect(Object.keys(data).sort()).toEqual(["identity", "known_hosts"]);
    await flux.eventuallySays(...allReady(4));
    expect(await addons.result("up")).toEqual({});
  });
});

describe("secrets", () => {
  it("are in no state, no output and no log", async () => {
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
  it("succeeds, and leaves nothing of Flux or of what it applied", async () => {
    const gone = await timed("destroy", () => addons.result("destroy"));
    expect(Object.keys(gone)).toEqual(expect.arrayContaining(["flux", "flux-source", "flux-cluster"]));
    const namespaces = await lab.kubectl("get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}");
    expect(namespaces.split(" ").sort()).toEqual(["default", "kube-node-lease", "kube-public", "kube-system"]);
    const left = await lab.kubectl("get", "crds,clusterroles,clusterrolebindings", "-o", "name");
    expect(left.split("\n").filter((name) => /flux|crd-controller|cluster-reconciler/.test(name))).toEqual([]);
    expect(await flux.status()).toEqual([]);
    expect(addons.state()!.made).toEqual([]);
  });
});
