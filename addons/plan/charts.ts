import type { ChartSettings } from "../config/sections/chart";

/** A Helm release of a pinned chart. */
export interface ReleasePlan {
  /** Also the name of the resource. */
  readonly name: string;
  readonly namespace: string;
  readonly chart: ChartSettings;
  readonly values: Readonly<Record<string, unknown>>;
  /** An install or an upgrade that fails is not undone, because what it installs cannot go back. */
  readonly keepsFailed?: true;
  /** Pulumi refuses to delete it. */
  readonly protect?: boolean;
}

/** True for a chart in an archive of the repository; its digest is the program's to check, because Helm takes any archive. */
export const isArchive = ({ source }: ChartSettings): boolean => !source.startsWith("oci://");

/**
 * How Helm is told what to install. It compares an OCI chart's digest itself, and refuses a version that the registry has under
 * another digest (helm 3.18, `registry.Client.ValidateReference`).
 */
export function helmChart(chart: ChartSettings): { readonly chart: string; readonly version: string } {
  const { source, version, digest } = chart;
  return { chart: isArchive(chart) ? source : `${source}@${digest}`, version };
}
