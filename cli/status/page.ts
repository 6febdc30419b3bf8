import type { Finding } from "../doctor/finding";
import type { Status } from "./compare";
import { escape, renderDocument, renderFindings } from "./markup";
import { renderPicture } from "./picture";
import { COLUMNS, verdictText } from "./table";

/** Level of the verdict, for its colour. */
const LEVELS = { "as planned": "ok", differs: "fail", unknown: "skip" } as const;

/** The status as a page: one file, which loads nothing and follows the reader's setting of light or dark. */
export function renderPage(status: Status): string {
  const isWell = ({ level }: Finding): boolean => level === "ok";
  const verdict = { text: verdictText(status), level: LEVELS[status.verdict] };
  return renderDocument({ name: status.cluster, verdict, note: `K3s ${status.version}`, at: status.at }, [
    renderPicture(status),
    renderFindings(
      "Differences",
      status.findings.filter((finding) => !isWell(finding)),
    ),
    `<h2>Nodes</h2><div class="wide">${renderTable(status)}</div>`,
    renderFindings("As planned", status.findings.filter(isWell)),
  ]);
}

function renderTable({ nodes }: Status): string {
  const head = COLUMNS.map(([name]) => `<th>${escape(name)}</th>`).join("");
  const rows = nodes.map(
    (node) => `<tr>${COLUMNS.map(([, of]) => `<td>${escape(of(node) || "–")}</td>`).join("")}</tr>`,
  );
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}
