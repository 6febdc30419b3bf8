import { CHART, recordAddons } from "../support/program";

const MINIMAL = { cluster: "organization/proxmox-k3s/homelab" };
const RELEASE = "kubernetes:helm.sh/v3:Release";

const record = (longhorn: object) => recordAddons({ addons: { ...MINIMAL, longhorn: { chart: CHART, ...longhorn } } });

test("Longhorn waits for its namespace, and neither is deleted unless the config allows it", async () => {
  const { find } = await record({ replicas: 1 });
  const namespace = find("kubernetes:core/v1:Namespace", "longhorn-system");
  const release = find(RELEASE, "longhorn");
  expect(release.inputs).toMatchObject({ name: "longhorn", namespace: "longhorn-system" });
  expect(release.options.dependencies).toContain(namespace.urn);
  expect([namespace.options.protect, release.options.protect]).toEqual([true, true]);
});

test("if the config allows it, both may be deleted", async () => {
  const { find } = await record({ replicas: 1, onDeletion: "deleteVolumes" });
  expect(find(RELEASE, "longhorn").options.protect).toBe(false);
  expect(find("kubernetes:core/v1:Namespace", "longhorn-system").options.protect).toBe(false);
});

test("Pulumi owns no object of Longhorn", async () => {
  const { resources } = await record({ replicas: 1 });
  expect(resources.filter(({ type }) => type.includes("longhorn.io"))).toEqual([]);
});

test("a config that would delete Longhorn with its volumes creates no resource", async () => {
  const state = {
    "urn:pulumi:homelab::proxmox-k3s-addons::kubernetes:helm.sh/v3:Release::longhorn": {
      type: RELEASE,
      outputs: { name: "longhorn", values: { defaultSettings: { deletingConfirmationFlag: false } } },
    },
  };
  await expect(recordAddons({ addons: MINIMAL, state })).rejects.toThrow(/^addons\.longhorn: is missing, but/);
});
