import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";

import { planMonitoring } from "../../../addons/plan/monitoring";
import { loadSettings } from "../../../addons/plan/load";
import {
  type ChartFacts,
  monitoringFree,
  readFacts,
  readMonitoringFacts,
  wrongValues,
} from "../../../addons/tests/support/chartValues";
import { clusterOf } from "../../../addons/tests/support/config";
import { chartDoubles } from "../../../lab/registry/fill";

/* Compares the lab's doubles of charts with the facts about the vendors' charts (`npm run chart-facts`). */

const doubles = fs.readdirSync(chartDoubles, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const read = (...names: string[]): string => fs.readFileSync(path.join(chartDoubles, ...names), "utf8");

const valuesOf = (name: string) => parse(read(name, "values.yaml")) as Record<string, object>;
const factsOf = (name: string): ChartFacts =>
  name === "kube-prometheus-stack" ? readMonitoringFacts() : readFacts(name);

test.each(doubles.map(({ name }) => name))("the double of %s has the vendor's name, and says what it is", (name) => {
  const chart = parse(read(name, "Chart.yaml")) as Record<string, string>;
  expect(chart["name"]).toBe(name);
  expect(chart["version"]).toBe(`${readFacts(name).version}-lab-double`);
  expect(chart["description"]).toContain("double");
  expect(read("README.md")).toContain(`\`${name}\``);
});

test.each(doubles.map(({ name }) => name))("the double of %s has no value that the vendor's chart lacks", (name) => {
  // The facts do not cover a chart's own image; each chart has these keys.
  const { image = { registry: "", repository: "", tag: "" }, ...values } = valuesOf(name);
  const free = ["updateStrategy.rollingUpdate", "service.spec", ...monitoringFree];
  expect(wrongValues(factsOf(name), values, free)).toEqual([]);
  expect(Object.keys(image)).toEqual(["registry", "repository", "tag"]);
});

test("the double of kube-prometheus-stack reads each value that the add-ons set", () => {
  const chart = { source: "charts/x.tgz", version: "1.12.1", digest: `sha256:${"ab".repeat(32)}` };
  const settings = loadSettings({
    cluster: "organization/proxmox-k3s/homelab",
    longhorn: { chart, replicas: 1 },
    monitoring: { chart, storage: { class: "longhorn", size: "20GB" }, grafana: { host: "grafana.example.org" } },
  });
  const { values } = planMonitoring(settings, clusterOf())!.release;
  const name = "kube-prometheus-stack";
  // A value that is a list or free is in the double as a whole.
  const leaves = (value: unknown, at: string): string[] =>
    typeof value !== "object" || value === null || Array.isArray(value) || monitoringFree.includes(at)
      ? [at]
      : Object.entries(value).flatMap(([key, below]) => leaves(below, at === "" ? key : `${at}.${key}`));
  const known = leaves(valuesOf(name), "");
  expect(leaves(values, "").filter((at) => !known.includes(at))).toEqual([]);
});
