import * as fs from "node:fs";
import * as path from "node:path";
import * as semver from "semver";

import { componentModule, componentNames, components } from "../../../lab/components/table";

/* Compares what the lab builds for add-ons with the go.mod files that pin it. */

test.each(componentNames)("%s is built at the version that its go.mod pins, and its image has the same tag", (name) => {
  const { module, version, image } = components[name];
  const pins = fs.readFileSync(path.join(componentModule(name), "go.mod"), "utf8");
  const found = [...pins.matchAll(new RegExp(`^(?:require |\\t)${module} (v\\S+)`, "gm"))];
  expect(found.map(([, pinned]) => pinned)).toEqual([version]);
  if (!image) return;
  const tag = semver.coerce(image.name.split(":")[1])!.version;
  // Prometheus' modules have the number 0.MMm.p for a release M.mm.p.
  const released = name === "prometheus" ? version.replace(/^v0\.(\d)0?(\d+)\./, "v$1.$2.") : version;
  expect(`v${tag}`).toBe(released);
});

test("each component has its own image, with a registry in its name", () => {
  const names = componentNames.flatMap((name) => components[name].image?.name ?? []);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^(docker|ghcr|quay)\.io\/[a-z-]+\/[a-z-]+:v?\d+\.\d+\.\d+$/);
});
