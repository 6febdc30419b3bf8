import type { Finding } from "../doctor/finding";
import { SIGNS } from "../doctor/report";
import type { Status } from "./compare";
import { escape } from "./markup";
import { renderPicture } from "./picture";
import { COLUMNS, verdictText } from "./table";

const STYLE = `
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1c2430; --dim: #566173; --line: #cdd4de;
  --ok: #14733b; --warn: #8a5300; --fail: #b3261e; --skip: #566173; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161c; --card: #1b212a; --text: #e7ebf1; --dim: #a3adbb; --line: #3a4453;
    --ok: #5fd38d; --warn: #f0b357; --fail: #ff8a80; --skip: #a3adbb; }
}
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; } h2 { margin: 2.25rem 0 .75rem; font-size: 1.15rem; }
.dim { color: var(--dim); margin: .25rem 0 0; }
.ok { --level: var(--ok); } .warn { --level: var(--warn); } .fail { --level: var(--fail); } .skip { --level: var(--skip); }
.verdict { color: var(--level); font-weight: 600; }
.wide { overflow-x: auto; }
svg { max-width: 100%; height: auto; margin-top: 1.5rem; font: 13px/1 system-ui, sans-serif; }
svg text { fill: var(--dim); } svg .place, svg .name { fill: var(--text); font-weight: 600; }
svg .frame { fill: none; stroke: var(--line); } svg .card rect { fill: var(--card); stroke: var(--level); stroke-width: 1.5; }
svg .state { fill: var(--level); }
table { border-collapse: collapse; width: 100%; background: var(--card); font-size: .9rem; }
th, td { padding: .45rem .7rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--dim); font-weight: 600; }
ul { list-style: none; margin: 0; padding: 0; }
li { background: var(--card); border-left: 4px solid var(--level); margin: 0 0 .5rem; padding: .55rem .9rem; overflow-wrap: anywhere; }
li b { color: var(--level); margin-right: .5rem; } code { display: block; margin-top: .25rem; color: var(--dim); font-size: .9rem; white-space: pre-wrap; }
`;

/** Level of the verdict, for its colour. */
const LEVELS = { "as planned": "ok", differs: "fail", unknown: "skip" } as const;

/** The status as a page: one file, which loads nothing and follows the reader's choice of light or dark. */
export function renderPage(status: Status): string {
  const isWell = ({ level }: Finding): boolean => level === "ok";
  const title = escape(`${status.cluster}: ${verdictText(status)}`);
  const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`;
  return [
    `<!doctype html>`,
    `<html lang="en"><head><meta charset="utf-8">${policy}`,
    `<meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${STYLE}</style></head>`,
    `<body><h1>${escape(status.cluster)} <span class="verdict ${LEVELS[status.verdict]}">${escape(verdictText(status))}</span></h1>`,
    `<p class="dim">K3s ${escape(status.version)}, checked at ${escape(status.at.toISOString().replace(/\.\d+Z$/, "Z"))}</p>`,
    renderPicture(status),
    section(
      "Differences",
      status.findings.filter((finding) => !isWell(finding)),
    ),
    `<h2>Nodes</h2><div class="wide">${renderTable(status)}</div>`,
    section("As planned", status.findings.filter(isWell)),
    `</body></html>`,
    ``,
  ].join("\n");
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
