import fs from "node:fs";
import path from "node:path";
import * as semver from "semver";
import { baseConfig, changed, homelabConfig, readYaml } from "./support";
import { dependencies } from "../../../package.json";
import { loadPlan } from "../../../plan/load";
import { closest } from "../../../config/suggest";

const project = readYaml(path.join(__dirname, "../../../Pulumi.yaml")) as {
  name: string;
  runtime: { name: string; options: Record<string, unknown> };
  requiredPulumiVersion: string;
  config: Record<string, { type: string; description: string; default?: unknown; secret?: boolean }>;
};

test("the project requires an engine that is not newer than the SDK, and the README names the same version", () => {
  const [, least = ""] = /^>=(\d+\.\d+\.\d+)$/.exec(project.requiredPulumiVersion) ?? [];
  expect(semver.lte(least, dependencies["@pulumi/pulumi"])).toBe(true);
  expect(fs.readFileSync(path.join(__dirname, "../../../README.md"), "utf8")).toContain(
    `[Pulumi CLI](https://www.pulumi.com/docs/install/) ${least} or newer`,
  );
  expect(project.name).toBe("proxmox-k3s");
  expect(project.runtime).toEqual({
    name: "nodejs",
    options: { packagemanager: "npm", typescript: false, nodeargs: "--require ./runtime.cjs" },
  });
});

test("the only key that Pulumi itself requires is the cluster: credentials are optional, a preview needs none", () => {
  expect(Object.keys(project.config)).toEqual(["cluster"]);
  expect(project.config["cluster"]).toMatchObject({ type: "object", description: expect.any(String) });
});

test("the example stack has no secret and no placeholder for one", () => {
  expect(JSON.stringify(homelabConfig())).not.toMatch(/PRIVATE KEY|token|password|secure/i);
});

test("the config as JSON, the form that Pulumi sends, gives the same plan as YAML", () => {
  expect(loadPlan(JSON.parse(JSON.stringify(homelabConfig())), {})).toEqual(loadPlan(homelabConfig(), {}));
});

test("numbers and booleans that `pulumi config set --path` creates from texts are accepted as texts", () => {
  const plan = loadPlan(
    changed(baseConfig(), { k3s: { kubeconfigMode: 640 }, pools: { worker: { labels: { fast: true } } } }),
    {},
  );
  expect(plan.k3s.kubeconfigMode).toBe("640");
  expect(plan.agents[0]?.labels).toEqual({ storage: "nvme", fast: "true" });
});

test.each([
  ["memroy", "memory"],
  ["vmids", "vmIds"],
  ["lable", "labels"],
  ["cpu", undefined],
  ["colour", undefined],
])("%s is near %s", (word, expected) => {
  expect(closest(word, ["memory", "vmIds", "labels", "cores", "count", "node"])).toBe(expected);
});
