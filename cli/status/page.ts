import type { Finding } from "../doctor/finding";
import { SIGNS } from "../doctor/report";
import type { Status } from "./compare";
import { escape, renderDocument } from "./markup";
import { renderPicture } from "./picture";
import { COLUMNS, verdictText } from "./table";

/** Level of the verdict, for its colour. */
const LEVELS = { "as planned": "ok", differs: "fail", unknown: "skip" } as const;

/** The status as a page: one file, which loads nothing and follows the reader's choice of light or dark. */
export function renderPage(status: Status): string {
  const isWell = ({ level }: Finding): boolean => level === "ok";
  const verdict = { text: verdictText(status), level: LEVELS[status.verdict] };
  return renderDocument({ name: status.cluster, verdict, note: `K3s ${status.version}`, at: status.at }, [
    renderPicture(status),
    section(
      "Differences",
      status.findings.filter((finding) => !isWell(finding)),
    ),
    `<h2>Nodes</h2><div class="wide">${renderTable(status)}</div>`,
    section("As planned", status.findings.filter(isWell)),
  ]);
}

function section(title: string, findings: readonly Finding[]): string {
  if (findings.length === 0) return "";
  const items = findings.map(({ level, check, seen, remedy }) => {
    const command = remedy === undefined ? "" : `<code>${escape(remedy)}</code>`;
    return `<li class="${level}"><b>${SIGNS[level]} ${escape(check)}</b>${escape(seen)}${command}</li>`;
  });
  return `<h2>${title}</h2><ul>${items.join("")}</ul>`;
}

function renderTable({ nodes }: Status): string {
  const head = COLUMNS.map(([name]) => `<th>${escape(name)}</th>`).join("");
  const rows = nodes.map(
    (node) => `<tr>${COLUMNS.map(([, of]) => `<td>${escape(of(node) || "–")}</td>`).join("")}</tr>`,
  );
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}
