import { loadSettings } from "../../plan/load";
import { planFlux } from "../../plan/flux";
import { readFacts, wrongValues } from "../support/chartValues";
import { clusterOf } from "../support/config";

const CHART = {
  source: "oci://ghcr.io/fluxcd-community/charts/flux2",
  version: "2.18.3",
  digest: `sha256:${"ab".repeat(32)}`,
};
const GIT = { url: "https://git.example.org/homelab.git" };
const SSH = {
  url: "ssh://git@git.example.org:2222/homelab.git",
  knownHosts: "[git.example.org]:2222 ssh-ed25519 AAAA",
};

function fluxOf(flux: object, hasGitToken = false) {
  const settings = loadSettings({
    cluster: "organization/proxmox-k3s/homelab",
    flux: { install: "chart", chart: CHART, git: GIT, ...flux },
  });
  return planFlux(settings, clusterOf(), hasGitToken)!;
}

/** A config with every key of `flux`. */
const FULL = {
  git: SSH,
  path: "./cluster",
  sops: true,
  nodes: { path: "./nodes/{name}", suspended: ["k3s-worker-01"] },
};

test("only the two controllers that the program uses are installed", () => {
  expect(fluxOf({}).release).toEqual({
    name: "flux",
    namespace: "flux-system",
    chart: CHART,
    values: {
      // After a fix, Flux retries within a minute.
      sourceController: { container: { additionalArgs: ["--max-retry-delay=1m"] } },
      kustomizeController: { container: { additionalArgs: ["--max-retry-delay=1m"] } },
      helmController: { create: false },
      imageAutomationController: { create: false },
      imageReflectionController: { create: false },
      notificationController: { create: false },
    },
  });
});

test("an existing Flux is not installed again, but gets what to apply", () => {
  const plan = fluxOf({ install: "none", chart: undefined });
  expect(plan.release).toBeUndefined();
  expect([plan.cluster.metadata.name, plan.nodes]).toEqual(["cluster", []]);
});

test("the source and what it applies for the cluster", () => {
  const { source, cluster } = fluxOf({ path: "./cluster", git: { ...GIT, branch: "release", interval: "30s" } });
  expect(source).toEqual({
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "GitRepository",
    metadata: { name: "cluster", namespace: "flux-system", annotations: { "pulumi.com/waitFor": "condition=Ready" } },
    spec: { url: GIT.url, ref: { branch: "release" }, interval: "30s" },
  });
  expect(cluster).toEqual({
    apiVersion: "kustomize.toolkit.fluxcd.io/v1",
    kind: "Kustomization",
    metadata: { name: "cluster", namespace: "flux-system", annotations: { "pulumi.com/waitFor": "condition=Ready" } },
    spec: {
      sourceRef: { kind: "GitRepository", name: "cluster" },
      path: "./cluster",
      interval: "600s",
      retryInterval: "30s",
      prune: true,
      deletionPolicy: "WaitForTermination",
    },
  });
});

test("a failure is retried soon, but not more often than a success is repeated", () => {
  expect(fluxOf({ interval: "10s" }).cluster.spec).toMatchObject({ interval: "10s", retryInterval: "10s" });
});

describe("the login of the Git server", () => {
  test("none, for a public repository", () => expect(fluxOf({}).secrets).toEqual([]));

  test("a token, if one is set", () => {
    const { secrets, source } = fluxOf({}, true);
    expect(secrets).toEqual([{ name: "git", data: { username: "git", password: { secret: "gitToken" } } }]);
    expect(source.spec).toMatchObject({ secretRef: { name: "git" } });
  });

  test("the CA of the server, with a token or without", () => {
    const ca = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    const { secrets, source } = fluxOf({ git: { ...GIT, ca } });
    expect(secrets).toEqual([{ name: "git", data: { "ca.crt": ca } }]);
    expect(source.spec).toMatchObject({ secretRef: { name: "git" } });
    expect(fluxOf({ git: { ...GIT, ca } }, true).secrets).toEqual([
      { name: "git", data: { username: "git", password: { secret: "gitToken" }, "ca.crt": ca } },
    ]);
  });

  test("a key, and the server's host keys, for ssh", () => {
    const { secrets, source } = fluxOf({ git: SSH }, true);
    expect(secrets).toEqual([
      { name: "git", data: { identity: { secret: "gitIdentity" }, known_hosts: SSH.knownHosts } },
    ]);
    expect(source.spec).toMatchObject({ secretRef: { name: "git" } });
  });
});

test("with SOPS, everything that Flux applies is decrypted with the same key", () => {
  const { secrets, cluster, nodes } = fluxOf(FULL);
  expect(secrets).toContainEqual({ name: "sops-age", data: { "age.agekey": { secret: "sopsAgeKey" } } });
  for (const { spec } of [cluster, ...nodes])
    expect(spec).toMatchObject({ decryption: { provider: "sops", secretRef: { name: "sops-age" } } });
});

describe("for each node of the plan", () => {
  const { nodes } = fluxOf(FULL);

  test("there is one Kustomization, with the values of the node", () => {
    expect(nodes.map(({ metadata, spec }) => [metadata.name, spec["path"]])).toEqual([
      ["node-k3s-master", "./nodes/k3s-master"],
      ["node-k3s-storage-01", "./nodes/k3s-storage-01"],
      ["node-k3s-worker-01", "./nodes/k3s-worker-01"],
    ]);
    expect(nodes[1]!.spec["postBuild"]).toEqual({
      substitute: {
        ...{ node_name: "k3s-storage-01", node_address: "192.168.2.30" },
        ...{ node_pool: "storage", node_role: "agent" },
      },
    });
  });

  test("a suspended one does not change, and pulumi up does not wait for it", () => {
    expect(nodes.filter(({ spec }) => spec["suspend"] === true).map(({ metadata }) => metadata)).toEqual([
      { name: "node-k3s-worker-01", namespace: "flux-system", annotations: { "pulumi.com/skipAwait": "true" } },
    ]);
    expect(nodes[0]!.metadata.annotations).toEqual({ "pulumi.com/waitFor": "condition=Ready" });
  });

  test("the folder may be that of the pool, or one for all", () => {
    const paths = (path?: string) =>
      fluxOf({ nodes: { ...(path ? { path } : {}) } }).nodes.map(({ spec }) => spec["path"]);
    expect(paths("./pools/{pool}")).toEqual(["./pools/master", "./pools/storage", "./pools/worker"]);
    expect(paths()).toEqual(["./node", "./node", "./node"]);
  });
});

describe("the objects fit Flux' CRDs", () => {
  test.each([
    ["the least", {}],
    ["everything", FULL],
  ])("%s", (_, flux) => {
    const { release, source, cluster, nodes } = fluxOf(flux, true);
    expect(wrongValues(readFacts("flux2"), release!.values, [])).toEqual([]);
    for (const object of [source, cluster, ...nodes])
      expect(wrongValues(readFacts(object.kind), { spec: object.spec }, [])).toEqual([]);
  });

  test.each([
    ["an unknown key", { spec: { prun: true } }, "spec.prun: it has no such key"],
    ["a word that is not in the enumeration", { spec: { deletionPolicy: "Wait" } }, /^spec\.deletionPolicy: string/],
    ["a wrong entry of a list", { spec: { dependsOn: [{ nam: "x" }] } }, "spec.dependsOn[].nam: it has no such key"],
  ])("%s is found", (_, object, problem) => {
    expect(wrongValues(readFacts("Kustomization"), object, [])).toEqual([
      typeof problem === "string" ? problem : expect.stringMatching(problem),
    ]);
  });
});
