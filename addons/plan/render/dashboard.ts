import type { ClusterNode } from "../cluster";
import { NODE_JOB } from "./monitoring";

/** The datasource that the chart gives to Grafana. */
const DATASOURCE = { type: "prometheus", uid: "prometheus" };

interface Panel {
  readonly title: string;
  readonly type: "row" | "state-timeline" | "timeseries";
  readonly expr?: string;
  readonly legend?: string;
  readonly unit?: string;
  readonly width: number;
}

const ROW_HEIGHT = 8;

/**
 * A dashboard of Grafana: a row for each pool, with the plan's nodes. A node that is down keeps its place, as a gap.
 * @returns the dashboard as JSON; equal plans give equal text
 */
export function dashboard(cluster: string, nodes: readonly ClusterNode[], hasLonghorn: boolean): string {
  const pools = [...new Set(nodes.map(({ pool }) => pool))].sort();
  const panels = [
    ...pools.flatMap((pool) =>
      poolPanels(
        pool,
        nodes.filter((node) => node.pool === pool),
      ),
    ),
    ...(hasLonghorn ? STORAGE : []),
  ];
  return JSON.stringify({
    uid: "proxmox-k3s-nodes",
    title: `Nodes of ${cluster}`,
    tags: ["proxmox-k3s"],
    timezone: "browser",
    schemaVersion: 39,
    refresh: "1m",
    time: { from: "now-6h", to: "now" },
    panels: placed(panels),
  });
}

function poolPanels(pool: string, nodes: readonly ClusterNode[]): Panel[] {
  const of = `job="${NODE_JOB}",node=~"${nodes.map(({ name }) => name).join("|")}"`;
  const legend = "{{node}}";
  return [
    { title: `Pool ${pool}`, type: "row", width: 24 },
    { title: "Answers", type: "state-timeline", expr: `max by (node) (up{${of}})`, legend, width: 6 },
    {
      ...{ title: "Processors in use", type: "timeseries", unit: "percentunit", legend, width: 6 },
      expr: `1 - avg by (node) (rate(node_cpu_seconds_total{${of},mode="idle"}[$__rate_interval]))`,
    },
    {
      ...{ title: "Memory in use", type: "timeseries", unit: "percentunit", legend, width: 6 },
      expr: `1 - max by (node) (node_memory_MemAvailable_bytes{${of}} / node_memory_MemTotal_bytes{${of}})`,
    },
    {
      ...{ title: "Fullest disk", type: "timeseries", unit: "percentunit", legend, width: 6 },
      expr: `1 - min by (node) (node_filesystem_avail_bytes{${of},fstype!~"tmpfs|ramfs"} / node_filesystem_size_bytes{${of},fstype!~"tmpfs|ramfs"})`,
    },
  ];
}

const STORAGE: readonly Panel[] = [
  { title: "Longhorn", type: "row", width: 24 },
  {
    ...{ title: "Volumes", type: "timeseries", legend: "{{state}}", width: 12 },
    expr: "sum by (state) (longhorn_volume_robustness)",
  },
  {
    ...{ title: "Disks in use", type: "timeseries", unit: "percentunit", legend: "{{node}} {{disk}}", width: 12 },
    expr: "max by (node, disk) (longhorn_disk_usage_bytes / longhorn_disk_capacity_bytes)",
  },
];

/** Panels in rows of 24 columns. */
function placed(panels: readonly Panel[]): object[] {
  let [x, y] = [0, 0];
  return panels.map(({ title, type, expr, legend, unit, width }, at) => {
    const h = type === "row" ? 1 : ROW_HEIGHT;
    const gridPos = { x, y, w: width, h };
    x += width;
    if (x >= 24) [x, y] = [0, y + h];
    const common = { id: at + 1, title, type, gridPos };
    if (expr === undefined) return { ...common, collapsed: false, panels: [] };
    return {
      ...common,
      datasource: DATASOURCE,
      fieldConfig: { defaults: { min: 0, ...(unit === undefined ? {} : { unit, max: 1 }) }, overrides: [] },
      targets: [{ refId: "A", datasource: DATASOURCE, expr, legendFormat: legend }],
    };
  });
}
