import { AGE_KEY, FLUX, leaked, recordAddons, type Recording, secretText, SSH_KEY } from "../support/program";

const MINIMAL = { cluster: "organization/proxmox-k3s/homelab" };
const SECRETS = { gitIdentity: SSH_KEY };

const KUSTOMIZATION = "kubernetes:kustomize.toolkit.fluxcd.io/v1:Kustomization";

/** A recording of a config with every add-on. */
let base: Recording;
beforeAll(async () => {
  base = await recordAddons();
});

test("Flux is created before its source, and the source before what it applies; deletions go in the reverse order", () => {
  const release = base.find("kubernetes:helm.sh/v3:Release", "flux");
  const source = base.find("kubernetes:source.toolkit.fluxcd.io/v1:GitRepository", "flux-source");
  const key = base.find("kubernetes:core/v1:Secret", "flux-sops-age");
  const namespace = base.find("kubernetes:core/v1:Namespace", "flux-system");
  expect(release.options.dependencies).toContain(namespace.urn);
  expect(source.options.dependencies).toEqual(expect.arrayContaining([namespace.urn, release.urn, key.urn]));
  const applied = base.resources.filter(({ type }) => type === KUSTOMIZATION);
  expect(applied.map(({ name }) => name).sort()).toEqual([
    ...["flux-cluster", "flux-node-k3s-master", "flux-node-k3s-storage-01", "flux-node-k3s-worker-01"],
  ]);
  for (const { options } of applied)
    expect(options.dependencies).toEqual(expect.arrayContaining([source.urn, release.urn, key.urn]));
  // The objects of a node may be in a namespace from the cluster's folder.
  const cluster = base.find(KUSTOMIZATION, "flux-cluster");
  for (const { name, options } of applied.filter((each) => each !== cluster))
    expect([name, options.dependencies]).toEqual([name, expect.arrayContaining([cluster.urn])]);
});

test("if an object of Flux fails, Flux' own message is read", () => {
  const ofFlux = base.resources.filter(({ type }) => /[.]toolkit[.]fluxcd[.]io/.test(type));
  expect(ofFlux).toHaveLength(5);
  for (const { options } of ofFlux) expect(options.onError).toEqual(["flux-failure"]);
});

test("Flux gets its secrets as secrets", async () => {
  const recording = await recordAddons({
    addons: { ...MINIMAL, flux: { ...FLUX, sops: true } },
    secrets: { ...SECRETS, sopsAgeKey: AGE_KEY },
  });
  expect(secretText(recording, "flux-git", "identity")).toBe(SSH_KEY);
  expect(secretText(recording, "flux-sops-age", "age.agekey")).toBe(AGE_KEY);
  expect(leaked(recording, SSH_KEY, AGE_KEY)).toEqual([]);
});

test("a key that is removed from a Secret leaves the cluster: server-side apply would keep one that came by stringData", () => {
  const secrets = base.resources.filter(({ type }) => type === "kubernetes:core/v1:Secret");
  expect(secrets.length).toBeGreaterThan(2);
  for (const { name, inputs } of secrets)
    expect([name, Object.keys(inputs).includes("stringData")]).toEqual([name, false]);
});

test("Flux is not created while a secret is missing, in plain text or has another form; no message shows a secret", async () => {
  const addons = { ...MINIMAL, timeout: "soon", flux: { ...FLUX, sops: true } };
  const error = await recordAddons({
    addons,
    secrets: { gitIdentity: "PRIVATE" },
    plain: { gitToken: "ghp_abc" },
  }).catch((reason: Error) => reason);
  expect(String((error as Error).message).split("\n")).toEqual([
    expect.stringMatching(/^addons\.timeout: must be a duration/),
    "proxmox-k3s-addons:gitIdentity: must be a private SSH key in OpenSSH or PEM form (`pulumi config set --secret gitIdentity < id_ed25519`)",
    "proxmox-k3s-addons:gitToken: is in plain text in the stack file (`pulumi config set --secret gitToken`)",
    "proxmox-k3s-addons:sopsAgeKey: is missing: it must be an age identity (a line AGE-SECRET-KEY-1…) (`pulumi config set --secret sopsAgeKey < age.agekey`)",
  ]);
});
