import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";

import { readFacts, wrongValues } from "../../../addons/tests/support/chartValues";
import { chartDoubles } from "../../../lab/registry/fill";

/* The lab's doubles of charts, held to what is known of the vendors' (`npm run chart-facts`). */

const doubles = fs.readdirSync(chartDoubles, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const read = (...names: string[]): string => fs.readFileSync(path.join(chartDoubles, ...names), "utf8");

test.each(doubles.map(({ name }) => name))("the double of %s has the vendor's name, and says what it is", (name) => {
  const chart = parse(read(name, "Chart.yaml")) as Record<string, string>;
  expect(chart["name"]).toBe(name);
  expect(chart["version"]).toBe(`${readFacts(name).version}-lab-double`);
  expect(chart["description"]).toContain("double");
  expect(read("README.md")).toContain(`\`${name}\``);
});

test.each(doubles.map(({ name }) => name))("the double of %s has no value that the vendor's chart lacks", (name) => {
  const { image, ...values } = parse(read(name, "values.yaml")) as Record<string, object>;
  expect(wrongValues(readFacts(name), values, ["updateStrategy.rollingUpdate", "service.spec"])).toEqual([]);
  if (image) expect(Object.keys(image)).toEqual(["registry", "repository", "tag"]);
});
