import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { Release } from "@pulumi/kubernetes/helm/v3";
import * as pulumi from "@pulumi/pulumi";

import { helmChart, isArchive, type ReleasePlan } from "../plan/charts";
import type { Problem } from "../plan/load";
import { RELEASE_DESCRIPTION } from "../plan/releaseRecords";

export interface ReleaseContext {
  /** How long Helm waits, in seconds. */
  readonly timeout: number;
  readonly parent: pulumi.ComponentResource;
  /** Resources that must exist first, for example the namespace. */
  readonly dependsOn?: pulumi.Resource[];
}

/**
 * A Helm release. A failed install or upgrade is undone, so that the next `up` starts from the former state. With `keepsFailed`
 * it is not undone, and the next `up` upgrades it.
 */
export function makeRelease(plan: ReleasePlan, context: ReleaseContext): Release {
  const { name, namespace, chart, values, keepsFailed = false, protect = false } = plan;
  const { timeout, parent, dependsOn = [] } = context;
  return new Release(
    name,
    {
      ...{ name, namespace, ...helmChart(chart), values: { ...values } },
      ...{ atomic: !keepsFailed, maxHistory: 5, timeout, description: RELEASE_DESCRIPTION },
    },
    { parent, dependsOn, protect },
  );
}

/**
 * Finds archives that are missing or have another content. Helm checks the digest of a chart in a registry; the program checks
 * that of an archive.
 * @param folder the base of relative paths: the folder in which Pulumi starts the program
 */
export function archiveProblems(plans: readonly ReleasePlan[], folder = process.cwd()): Problem[] {
  return plans
    .filter(({ chart }) => isArchive(chart))
    .flatMap(({ name, chart }) => {
      const file = path.join(folder, chart.source);
      const at = `addons: the chart of ${name}`;
      if (!fs.statSync(file, { throwIfNoEntry: false })?.isFile())
        return [{ path: at, problem: `is not in addons/${chart.source}`, hint: "`helm pull` writes such an archive" }];
      const found = `sha256:${createHash("sha256").update(fs.readFileSync(file)).digest("hex")}`;
      if (found === chart.digest) return [];
      const hint = "use the archive that was reviewed, or review this one and set its digest";
      return [{ path: at, problem: `has the digest ${found}, not ${chart.digest}`, hint }];
    });
}
