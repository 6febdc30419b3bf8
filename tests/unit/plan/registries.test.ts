import { differences } from "../../../plan/differences";
import { loadPlan } from "../../../plan/load";
import type { RegistriesPlan } from "../../../plan/model";
import { clusterRecordOf } from "../../../plan/record";
import { transitions } from "../../../plan/transitions";
import { registriesYaml, registryCas } from "../../../plan/render/registries";
import { changed, homelabConfig } from "../config/support";

const planOf = (registries: unknown) => loadPlan(changed(homelabConfig(), { k3s: { registries } }));
const of = (registries: unknown): RegistriesPlan => planOf(registries).k3s.registries!;

const ALL = {
  mirrors: {
    "*": {},
    "docker.io": {
      endpoints: ["https://registry.lan:5000", "http://10.0.0.9/proxy"],
      rewrites: { "^library/(.*)": "mirror/library/$1" },
    },
  },
  configs: {
    "registry.lan:5000": { auth: true, tls: { caFile: "certificates/registry.pem" } },
    "ghcr.io": { auth: true },
    "10.0.0.9": { tls: { insecureSkipVerify: true } },
  },
};

describe("registries.yaml", () => {
  test("has K3s' names, and each login where it is used", () => {
    expect(
      registriesYaml(of(ALL), {
        "registry.lan:5000": { username: "reader", password: "it's: #1" },
        "ghcr.io": { identityToken: "a-token" },
      }),
    ).toMatchInlineSnapshot(`
      "configs:
        10.0.0.9:
          tls:
            insecure_skip_verify: true
        ghcr.io:
          auth:
            identity_token: a-token
        registry.lan:5000:
          auth:
            password: "it's: #1"
            username: reader
          tls:
            ca_file: /etc/rancher/k3s/registries/registry.lan:5000.pem
      mirrors:
        "*": {}
        docker.io:
          endpoint:
            - https://registry.lan:5000
            - http://10.0.0.9/proxy
          rewrite:
            ^library/(.*): mirror/library/$1"
    `);
  });

  test("shows without logins only which registries have one: this form is in the state and in a preview", () => {
    const text = registriesYaml(of(ALL));
    expect(text.match(/auth: .*/g)).toEqual(["auth: a secret", "auth: a secret"]);
    expect(text).toContain("ca_file: /etc/rancher/k3s/registries/registry.lan:5000.pem");
  });

  test("is the same text for any order in the config", () => {
    const turned = { configs: Object.fromEntries(Object.entries(ALL.configs).reverse()), mirrors: ALL.mirrors };
    expect(registriesYaml(of(turned))).toBe(registriesYaml(of(ALL)));
  });

  test("does not exist if the config names no registry", () => {
    for (const none of [{}, { mirrors: {} }, { configs: {} }])
      expect(planOf(none).k3s).not.toHaveProperty("registries");
  });

  test("needs a login for each registry whose config has one", () => {
    expect(() => registriesYaml(of(ALL), {})).toThrow("there is no login for");
  });
});

describe("the embedded registry", () => {
  const plan = (embeddedRegistry: boolean) =>
    loadPlan(changed(homelabConfig(), { k3s: { embeddedRegistry, registries: { mirrors: { "*": {} } } } }));

  test("is an option of servers; agents read it when they start, so they restart too", () => {
    const [off, on] = [plan(false), plan(true)];
    const options = clusterRecordOf(on).nodes.map(({ k3s }) => k3s?.options["embedded-registry"]);
    expect(options).toEqual([true, undefined, undefined]);
    for (const [from, to] of [
      [off, on],
      [on, off],
    ] as const) {
      const { changes } = transitions(clusterRecordOf(from), to);
      expect(changes.map(({ effect, reasons }) => [effect, ...reasons])).toEqual([
        ["k3sRestart", "options, labels or taints", "registries"],
        ["k3sRestart", "registries"],
        ["k3sRestart", "registries"],
      ]);
    }
    expect(transitions(clusterRecordOf(on), on).changes).toEqual([]);
  });

  test.each(["v1.32.0+k3s1", "v1.37.0+k3s1"])(
    "is in the first release that the program accepts, and in the last: %s",
    (version) => {
      const k3s = { embeddedRegistry: true, registries: { mirrors: { "*": {} } } };
      expect(loadPlan(changed(homelabConfig(), { version, k3s }), {}).k3s.registries?.embedded).toBe(true);
    },
  );
});

test("CA files have the names of their registries", () => {
  expect(registryCas({ "b.lan:5000": ["B"], "a.lan": ["A1", "A2"] })).toBe("# a.lan\nA1\nA2\n# b.lan:5000\nB");
  expect(registryCas({})).toBe("");
});

describe("a change", () => {
  /** The preview's line about the first node. */
  function changes(from: unknown, to: unknown): string[] {
    const [former, plan] = [clusterRecordOf(planOf(from)), planOf(to)];
    return differences(former, former.nodes[0]!, plan.nodes[0]!, plan).map(
      ({ effect, change }) => `${effect}: ${change}`,
    );
  }

  test("names the registries that were added, removed and changed", () => {
    const { "ghcr.io": _, ...configs } = ALL.configs;
    const to = {
      mirrors: { ...ALL.mirrors, "quay.io": { endpoints: ["https://registry.lan:5000"] }, "docker.io": {} },
      configs,
    };
    expect(changes(ALL, to)).toEqual(["k3sRestart: registries docker.io −ghcr.io +quay.io"]);
    expect(changes({}, { mirrors: { "docker.io": {} } })).toEqual(["k3sRestart: registries +docker.io"]);
    expect(changes(ALL, {})).toEqual(["k3sRestart: registries −* −10.0.0.9 −docker.io −ghcr.io −registry.lan:5000"]);
  });

  test("is none for the same registries, and for a cluster without", () => {
    expect(changes(ALL, ALL)).toEqual([]);
    expect(changes({}, {})).toEqual([]);
  });
});

test("a preview warns of registries that anybody could impersonate, and of a password over http", () => {
  const { warnings } = planOf({
    mirrors: { "docker.io": { endpoints: ["http://registry.lan:5000"] } },
    configs: {
      "registry.lan:5000": { auth: true },
      "other.lan": { tls: { insecureSkipVerify: true } },
      "third.lan": { auth: true, tls: { insecureSkipVerify: true } },
    },
  });
  const of = "anybody who can answer in its place gives the nodes other images";
  const path = (registry: string) => `cluster.k3s.registries.configs.${registry}.tls.insecureSkipVerify`;
  expect(warnings.filter(({ path = "" }) => path.includes("registries")).map(({ text }) => text)).toEqual([
    "the nodes send the password for registry.lan:5000 over http: anybody on the network path can read it",
    `the TLS certificate of other.lan is not verified (${path("other.lan")}): ${of}`,
    `the TLS certificate of third.lan is not verified (${path("third.lan")}): ${of}, and gets the password`,
  ]);
});
