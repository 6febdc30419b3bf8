import type { ChartSettings } from "../config/sections/chart";

/** A Helm release of a pinned chart. */
export interface ReleasePlan {
  /** Also the name of the resource. */
  readonly name: string;
  readonly namespace: string;
  readonly chart: ChartSettings;
  readonly values: Readonly<Record<string, unknown>>;
  /** A failed install or upgrade is not undone, because the software cannot go back to an older version. */
  readonly keepsFailed?: true;
  /** Pulumi refuses to delete it. */
  readonly protect?: boolean;
}

/** True for a chart in an archive of the repository. The program must check its digest, because Helm accepts any archive. */
export const isArchive = ({ source }: ChartSettings): boolean => !source.startsWith("oci://");

/**
 * The arguments with which Helm finds a chart. Helm compares the digest of an OCI chart itself, and refuses a version that has
 * another digest in the registry (helm 3.18, `registry.Client.ValidateReference`).
 */
export function helmChart(chart: ChartSettings): { readonly chart: string; readonly version: string } {
  const { source, version, digest } = chart;
  return { chart: isArchive(chart) ? source : `${source}@${digest}`, version };
}
