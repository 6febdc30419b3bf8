import { AUTH_KEY, leaked, recordAddons, type Recording, secretText } from "../support/program";

/** A recording of a config with every add-on. */
let base: Recording;
beforeAll(async () => {
  base = await recordAddons();
});

test("a router waits for its state, its key and its rights", () => {
  const { find } = base;
  const { inputs, options } = find("kubernetes:apps/v1:Deployment", "tailscale-router-2");
  expect(inputs).toMatchObject({ metadata: { name: "router-2", namespace: "tailscale" } });
  for (const [type, name] of [
    ["kubernetes:core/v1:Secret", "tailscale-state-2"],
    ["kubernetes:core/v1:Secret", "tailscale-auth"],
    ["kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "tailscale"],
  ] as const)
    expect(options.dependencies).toContain(find(type, name).urn);
});

test("the state belongs to Tailscale: the program creates the Secret without data", () => {
  const { inputs } = base.find("kubernetes:core/v1:Secret", "tailscale-state-1");
  expect(Object.keys(inputs)).not.toEqual(expect.arrayContaining(["data"]));
  expect(Object.keys(inputs)).not.toEqual(expect.arrayContaining(["stringData"]));
});

test("the key is a secret", () => {
  expect(secretText(base, "tailscale-auth", "TS_AUTHKEY")).toBe(AUTH_KEY);
  expect(leaked(base, AUTH_KEY)).toEqual([]);
});
