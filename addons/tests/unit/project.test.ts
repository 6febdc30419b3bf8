import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";

import rootManifest from "../../../package.json";
import manifest from "../../package.json";

const folder = path.join(__dirname, "../..");
const read = (file: string): string => fs.readFileSync(path.join(folder, file), "utf8");

test("the project runs as the cluster's does: the same engine, the same SDK, the same way to run TypeScript", () => {
  const own = parse(read("Pulumi.yaml")) as Record<string, unknown>;
  const cluster = parse(read("../Pulumi.yaml")) as Record<string, unknown>;
  expect(own["requiredPulumiVersion"]).toBe(cluster["requiredPulumiVersion"]);
  expect(own["runtime"]).toEqual({
    name: "nodejs",
    options: { packagemanager: "npm", typescript: false, nodeargs: "--require ../runtime.cjs" },
  });
  expect(manifest.engines).toEqual(rootManifest.engines);
  expect(manifest.dependencies["@pulumi/pulumi"]).toBe(rootManifest.dependencies["@pulumi/pulumi"]);
});

test("versions are pinned, and no package runs a script when it is installed", () => {
  for (const version of Object.values(manifest.dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(read(".npmrc")).toBe(read("../.npmrc"));
});

test("the cluster's program does not need the Kubernetes package", () => {
  const all = { ...rootManifest.dependencies, ...rootManifest.devDependencies, ...rootManifest.optionalDependencies };
  expect(Object.keys(all)).not.toContain("@pulumi/kubernetes");
});

describe("`npm ci --omit=dev` in both folders is enough", () => {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.ts"], { cwd: folder })
    .toString()
    .trim()
    .split("\n")
    .filter((file) => !file.startsWith("tests/"));

  test.each(files)("%s imports nothing that is only a devDependency", (file) => {
    const names = [...read(file).matchAll(/(?:from |require\(|import )"([^."][^"]*)"/g)].map(([, name = ""]) => name);
    const foreign = names.filter((name) => !name.startsWith("node:"));
    const packages = foreign.map((name) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"));
    const known = { ...rootManifest.dependencies, ...manifest.dependencies };
    expect(packages.filter((name) => !(name in known))).toEqual([]);
  });
});

test("index.ts only loads, plans and creates", () => {
  expect(read("index.ts").split("\n").length).toBeLessThanOrEqual(60);
});
