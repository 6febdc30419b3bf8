import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { copyChart } from "../../../lab/registry/chartFiles";
import { readChart } from "../../../lab/registry/charts";
import { findVendorChart, vendorCharts, vendorImages } from "../../../lab/registry/vendorCharts";

/* Charts from a person's folder in ADDONS_CHARTS. */

let folder: string;
const write = (file: string, text: string): void => {
  fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  fs.writeFileSync(path.join(folder, file), text);
};
const chart = (name: string) => `apiVersion: v2\nname: ${name}\nversion: 1.2.3\nappVersion: v3\n`;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "vendor-charts-"));
  process.env["ADDONS_CHARTS"] = folder;
});
afterEach(() => {
  delete process.env["ADDONS_CHARTS"];
  fs.rmSync(folder, { recursive: true });
});

test("a chart is found by the name in its Chart.yaml, in a folder or an archive", async () => {
  write("some-folder/Chart.yaml", chart("traefik"));
  // A chart that it depends on has a Chart.yaml, too.
  write("scratch/flux2/Chart.yaml", chart("flux2"));
  write("scratch/flux2/charts/below/Chart.yaml", chart("below"));
  execFileSync("tar", ["-czf", path.join(folder, "flux2-1.2.3.tgz"), "-C", path.join(folder, "scratch"), "flux2"]);
  fs.rmSync(path.join(folder, "scratch"), { recursive: true });
  expect(await findVendorChart("traefik")).toBe(path.join(folder, "some-folder"));
  expect(await findVendorChart("flux2")).toBe(path.join(folder, "flux2-1.2.3.tgz"));
  expect(await readChart(path.join(folder, "flux2-1.2.3.tgz"))).toMatchObject({ name: "flux2", version: "1.2.3" });
  expect(await findVendorChart("below")).toBeUndefined();
  expect(vendorCharts()).toHaveLength(2);
});

test("two charts with the same name and a missing folder are refused", async () => {
  for (const at of ["a", "b"]) write(`${at}/Chart.yaml`, chart("traefik"));
  await expect(findVendorChart("traefik")).rejects.toThrow(/several charts of the name traefik/);
  process.env["ADDONS_CHARTS"] = path.join(folder, "lost");
  await expect(findVendorChart("traefik")).rejects.toThrow(/is no folder/);
});

test("without the variable there are none", async () => {
  delete process.env["ADDONS_CHARTS"];
  expect(await findVendorChart("traefik")).toBeUndefined();
  expect([vendorCharts(), [...vendorImages()]]).toEqual([[], []]);
});

test("an image of a chart is replaced by a component of the lab, if the lab has it", () => {
  write("images.yaml", "docker.io/library/traefik:v3.7.11: traefik\n");
  expect([...vendorImages()]).toEqual([["docker.io/library/traefik:v3.7.11", "traefik"]]);
  write("images.yaml", "docker.io/grafana/grafana:12: grafana\n");
  expect(() => vendorImages()).toThrow(/names grafana; the lab has .*traefik/);
});

test("a folder is copied as Helm packs it", () => {
  const files = [
    ...["Chart.yaml", "crds/kustomization.yaml", "crds/a.yaml", "tests/a_test.yaml", "templates/tests/hook.yaml"],
    ...[
      "templates/.swp",
      "templates/a.yaml",
      "b.bak",
      "files/b.bak",
      "ci/values.yaml",
      "deep/ci/values.yaml",
      "root.md",
    ],
    ...["files/root.md", "a.tgz"],
  ];
  for (const file of files) write(`own/${file}`, "x");
  write("own/.helmignore", "# comment\n\ncrds/kustomization.yaml\n /tests/\n*.bak\nci/\n/root.md\n?.tgz\n");
  copyChart(path.join(folder, "own"), path.join(folder, "copy"));
  const copied = fs.readdirSync(path.join(folder, "copy"), { recursive: true, encoding: "utf8" });
  expect(copied.filter((file) => fs.statSync(path.join(folder, "copy", file)).isFile()).sort()).toEqual([
    ...[".helmignore", "Chart.yaml", "crds/a.yaml", "files/root.md", "templates/a.yaml", "templates/tests/hook.yaml"],
  ]);
});

test.each(["!keep.yaml", "**/x"])("a pattern that only Helm supports is refused: %s", (pattern) => {
  write("own/.helmignore", `${pattern}\n`);
  expect(() => copyChart(path.join(folder, "own"), path.join(folder, "copy"))).toThrow(/helm package/);
});
