import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";

import type { StackConfig } from "../../../credentials/read";
import { readRegistries } from "../../../credentials/registries";
import type { RegistriesPlan } from "../../../plan/model";
import { secretsIn } from "../../support/secretScan";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "registries-"));
const VARIABLE = "PROXMOX_K3S_REGISTRY_AUTH_FILE";
const saved = process.env[VARIABLE];
beforeEach(() => delete process.env[VARIABLE]);
afterAll(() => {
  if (saved !== undefined) process.env[VARIABLE] = saved;
  fs.rmSync(folder, { recursive: true });
});

const PASSWORD = "sesame-open-please";
const base64 = (text: string) => Buffer.from(text).toString("base64");
const registries = (...names: string[]): RegistriesPlan => ({
  ...{ mirrors: {}, embedded: false },
  configs: Object.fromEntries(names.map((name) => [name, { auth: true, insecureSkipVerify: false }])),
});
const secret = (value: unknown, isSecret = true): StackConfig => ({
  get: (key) =>
    key !== "registryAuth" || value === undefined
      ? undefined
      : typeof value === "string"
        ? value
        : JSON.stringify(value),
  isSecret: () => isSecret,
});
const HINT =
  "users and passwords of the registries in k3s.registries, in the form of Docker's config.json (docs/registries.md): " +
  `pulumi config set --secret registryAuth < FILE, or ${VARIABLE}=FILE`;

/** The problems, none of which shows a part of a secret. */
function problemsOf(config: StackConfig, plan = registries("registry.lan:5000")): string[] {
  const { problems } = readRegistries(config, plan);
  const lines = problems.map(({ problem, remedy }) => `${problem} → ${remedy}`);
  const values = [PASSWORD, base64(`reader:${PASSWORD}`)];
  expect(
    secretsIn(
      lines.join("\n"),
      values.map((value) => ({ name: value, value })),
    ),
  ).toEqual([]);
  return lines;
}

/** What K3s gets for the logins. */
const loginsOf = (config: StackConfig, plan: RegistriesPlan): unknown[] => {
  const { yaml, missing, problems } = readRegistries(config, plan);
  expect([missing, problems]).toEqual([[], []]);
  return Object.values(parse(yaml).configs as Record<string, { auth: unknown }>).map(({ auth }) => auth);
};

it.each([
  ["base64 of user and password, as docker, podman and skopeo write them", { auth: base64(`reader:${PASSWORD}:x`) }],
  ["user and password, as kubectl writes them", { username: "reader", password: `${PASSWORD}:x`, auth: "" }],
])("takes %s", (_, entry) => {
  expect(loginsOf(secret({ auths: { "registry.lan:5000": entry } }), registries("registry.lan:5000"))).toEqual([
    { username: "reader", password: `${PASSWORD}:x` },
  ]);
});

it("takes an identity token", () => {
  const auths = { "ghcr.io": { auth: base64("x:"), identitytoken: PASSWORD } };
  expect(loginsOf(secret({ auths }), registries("ghcr.io"))).toEqual([{ identity_token: PASSWORD }]);
});

it("finds a registry by its host, and Docker Hub by Docker's own name", () => {
  const auth = base64(`reader:${PASSWORD}`);
  const auths = { "https://index.docker.io/v1/": { auth }, "https://registry.lan/v2/": { auth } };
  expect(loginsOf(secret({ auths }), registries("docker.io", "registry.lan"))).toHaveLength(2);
});

it("leaves out logins that no registry of the config needs", () => {
  const auth = base64(`reader:${PASSWORD}`);
  const { yaml } = readRegistries(secret({ auths: { "a.lan": { auth }, "b.lan": { auth } } }), registries("a.lan"));
  expect(Object.keys(parse(yaml).configs)).toEqual(["a.lan"]);
});

it("needs nothing if no registry has a login", () => {
  const plan: RegistriesPlan = {
    mirrors: { "docker.io": { endpoints: [], rewrites: {} } },
    configs: {},
    embedded: false,
  };
  expect(readRegistries(secret(undefined), plan)).toEqual({
    ...{ yaml: "configs: {}\nmirrors:\n  docker.io: {}", cas: "", missing: [], problems: [] },
  });
});

it("is missing without a secret, and a preview has placeholders", () => {
  const { yaml, missing, problems } = readRegistries(secret(undefined), registries("a.lan"));
  expect([missing.map(({ configKey }) => configKey), problems]).toEqual([["registryAuth"], []]);
  expect(parse(yaml).configs["a.lan"].auth).toEqual({ username: "placeholder", password: "placeholder" });
});

it("comes from a file that the environment names, too", () => {
  const file = path.join(folder, "auth.json");
  fs.writeFileSync(file, JSON.stringify({ auths: { "a.lan": { username: "reader", password: PASSWORD } } }));
  process.env[VARIABLE] = file;
  expect(loginsOf(secret(undefined), registries("a.lan"))).toEqual([{ username: "reader", password: PASSWORD }]);
});

describe("problems", () => {
  const auth = base64(`reader:${PASSWORD}`);

  it("a secret in plain text", () => {
    expect(problemsOf(secret({ auths: { "registry.lan:5000": { auth } } }, false))).toEqual([
      "registryAuth: is in plain text in the stack's config → create a new one, because others could read this one, then pulumi config set --secret registryAuth",
    ]);
  });

  it.each([
    ["no JSON", `reader:${PASSWORD}`],
    ["another form", { "registry.lan:5000": { auth } }],
    ["a list", [PASSWORD]],
  ])("%s", (_, value) => {
    expect(problemsOf(secret(value))).toEqual([
      `registryAuth: is not a JSON object with "auths", as Docker and skopeo write it → ${HINT}`,
    ]);
  });

  it("a registry that it does not have: the message names those that it has", () => {
    expect(problemsOf(secret({ auths: { "registry.lan": { auth }, "ghcr.io": { auth } } }))).toEqual([
      `registryAuth: has no user and password for registry.lan:5000; it has ghcr.io, registry.lan → ${HINT}`,
    ]);
  });

  it.each([
    ["not base64 of user and password", { auth: base64(PASSWORD) }],
    ["no password", { username: "reader" }],
  ])("a login that is %s", (_, entry) => {
    expect(problemsOf(secret({ auths: { "registry.lan:5000": entry } }))).toEqual([
      `registryAuth: has no user and password for registry.lan:5000 → ${HINT}`,
    ]);
  });

  it("a file whose passwords are in a credential store", () => {
    expect(problemsOf(secret({ auths: { "registry.lan:5000": {} }, credsStore: "osxkeychain" }))).toEqual([
      `registryAuth: has no user and password for registry.lan:5000; its passwords are in a credential store of that machine → ${HINT}`,
    ]);
  });
});

describe("a CA", () => {
  const withCa = (caFile: string): RegistriesPlan => ({
    ...{ mirrors: {}, embedded: false },
    configs: { "registry.lan:5000": { auth: false, caFile, insecureSkipVerify: false } },
  });
  const certificate = path.join(__dirname, "../../fixtures/certificate.pem");

  it("is read, and only its certificates go to the nodes", () => {
    const file = path.join(folder, "ca.pem");
    fs.writeFileSync(file, `Issuer: somebody\n${fs.readFileSync(certificate, "utf8")}`);
    const { cas, problems } = readRegistries(secret(undefined), withCa(file));
    expect(problems).toEqual([]);
    expect(cas).toMatch(/^# registry\.lan:5000\n-----BEGIN CERTIFICATE-----\n[^#]+-----END CERTIFICATE-----$/);
  });

  it.each([
    ["missing", "certificates/gone.pem", "there is no file certificates/gone.pem"],
    [
      "no certificate",
      "tests/unit/credentials/registries.test.ts",
      "tests/unit/credentials/registries.test.ts has no certificate in PEM form",
    ],
  ])("that is %s is a problem", (_, file, problem) => {
    expect(problemsOf(secret(undefined), withCa(file))).toEqual([
      `k3s.registries.configs.registry.lan:5000.tls.caFile: ${problem} → put the certificate of the CA of registry.lan:5000 there, in the program's folder`,
    ]);
  });
});
