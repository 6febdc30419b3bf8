/** Compares the lab's build of the Kubernetes provider with the npm package that needs it. */
import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../../lab/host/run";
import { ensureToolchain, toolchainEnv } from "../../lab/toolchain/install";
import { pluginVersion } from "../../lab/toolchain/versions";

type Inputs = { readonly inputProperties?: Readonly<Record<string, unknown>> };

interface Schema {
  readonly version: string;
  readonly provider: Inputs;
  readonly resources: Readonly<Record<string, Inputs>>;
}

const sdk = path.join(__dirname, "../../addons/node_modules/@pulumi/kubernetes");
let schema: Schema;

beforeAll(async () => {
  const toolchain = await ensureToolchain(console.error, true);
  const plugin = path.join(toolchain.pluginsDir, `resource-kubernetes-v${pluginVersion("kubernetes")}`);
  const binary = path.join(plugin, "pulumi-resource-kubernetes");
  const env = { ...process.env, ...toolchainEnv(toolchain) };
  // The plugin itself answers.
  schema = JSON.parse(await run("pulumi", ["package", "get-schema", binary], { env })) as Schema;
}, 60 * 60_000);

/** The inputs that a file of the npm package sends. `status` is only an output; the package's code has it there. */
const inputsOf = (file: string): string[] => {
  const source = fs.readFileSync(path.join(sdk, file), "utf8");
  const names = [...source.matchAll(/resourceInputs\["(\w+)"\]/g)].map(([, name]) => name!);
  return [...new Set(names)].filter((name) => name !== "status").sort();
};

test("it reports the version that the npm package needs", () => {
  expect(schema.version).toBe(pluginVersion("kubernetes"));
});

test("it has the inputs of the npm package's provider", () => {
  expect(Object.keys(schema.provider.inputProperties!).sort()).toEqual(inputsOf("provider.js"));
});

test.each([
  ["core/v1:Namespace", "core/v1/namespace.js"],
  ["core/v1:Secret", "core/v1/secret.js"],
  ["networking.k8s.io/v1:NetworkPolicy", "networking/v1/networkPolicy.js"],
  ["rbac.authorization.k8s.io/v1:ClusterRole", "rbac/v1/clusterRole.js"],
  ["rbac.authorization.k8s.io/v1:ClusterRoleBinding", "rbac/v1/clusterRoleBinding.js"],
  ["helm.sh/v3:Release", "helm/v3/release.js"],
])("it has the inputs of the npm package's %s", (type, file) => {
  expect(Object.keys(schema.resources[`kubernetes:${type}`]!.inputProperties!).sort()).toEqual(inputsOf(file));
});
