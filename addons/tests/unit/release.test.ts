import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { archiveProblems } from "../../components/release";
import { helmChart } from "../../plan/charts";

const digest = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;

test("Helm gets the digest of a chart in a registry, so that it refuses another content of the same version", () => {
  const source = "oci://ghcr.io/traefik/helm/traefik";
  expect(helmChart({ source, version: "41.3.0", digest: digest("x") })).toEqual({
    chart: `${source}@${digest("x")}`,
    version: "41.3.0",
  });
});

describe("an archive", () => {
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "charts-"));
    fs.writeFileSync(path.join(folder, "own-1.0.0.tgz"), "reviewed");
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));
  const problems = (source: string, sum: string) =>
    archiveProblems(
      [{ name: "own", namespace: "own", chart: { source, version: "1.0.0", digest: sum }, values: {} }],
      folder,
    );

  test("is used if it has the digest", () => {
    expect(helmChart({ source: "own-1.0.0.tgz", version: "1.0.0", digest: digest("reviewed") })).toEqual({
      chart: "own-1.0.0.tgz",
      version: "1.0.0",
    });
    expect(problems("own-1.0.0.tgz", digest("reviewed"))).toEqual([]);
  });

  test("is refused, if it has another one or is missing", () => {
    expect(problems("own-1.0.0.tgz", digest("other"))).toEqual([
      expect.objectContaining({ problem: `has the digest ${digest("reviewed")}, not ${digest("other")}` }),
    ]);
    expect(problems("lost-1.0.0.tgz", digest("other"))).toEqual([
      expect.objectContaining({ problem: "is not in addons/lost-1.0.0.tgz" }),
    ]);
  });
});
