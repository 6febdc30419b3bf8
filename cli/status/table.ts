import { renderReport } from "../doctor/report";
import type { NodeStatus, Status, Verdict } from "./compare";

const VERDICTS: Readonly<Record<Verdict, string>> = {
  "as planned": "as planned",
  differs: "differs from the plan",
  unknown: "no difference seen, but not all could be checked",
};

export const verdictText = ({ verdict }: Pick<Status, "verdict">): string => VERDICTS[verdict];

/** The columns of the table, for text and page. */
export const COLUMNS: readonly (readonly [head: string, of: (node: NodeStatus) => string])[] = [
  ["NODE", ({ name }) => name],
  ["ROLE", ({ role }) => role],
  ["VMID", ({ vmId }) => String(vmId ?? "")],
  ["ADDRESS", ({ address }) => address ?? ""],
  ["PROXMOX", ({ proxmoxNode }) => proxmoxNode],
  ["GUEST", ({ guest }) => guest],
  ["KUBERNETES", ({ kubernetes }) => kubernetes],
  ["VERSION", ({ version }) => version],
];

/** The status for a person: a line for each node, then the findings with their commands. */
export function renderStatus(status: Status): string {
  const rows = [COLUMNS.map(([head]) => head), ...status.nodes.map((node) => COLUMNS.map(([, of]) => of(node) || "-"))];
  const head = `${status.cluster}, K3s ${status.version}: ${verdictText(status)}`;
  return [head, "", ...alignRows(rows), "", renderReport(status.findings)].join("\n");
}

/** A table as lines: each column as wide as its widest cell. */
export function alignRows(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** The status for programs. */
export function renderStatusJson(status: Status): string {
  return `${JSON.stringify(status, undefined, 2)}\n`;
}
