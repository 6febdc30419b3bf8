import { PAGE_STYLE } from "../../plan/render/pageStyle";
import type { Finding } from "../doctor/finding";
import { SIGNS } from "../doctor/report";

/** Escapes a text for HTML or SVG, between tags or in an attribute. */
export function escape(text: string | number): string {
  return String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

interface Head {
  readonly name: string;
  readonly verdict: { readonly text: string; readonly level: Finding["level"] };
  /** What the page is about. */
  readonly note: string;
  readonly at: Date;
}

/** A page: one file, which loads nothing and follows the reader's setting of light or dark. */
export function renderDocument({ name, verdict, note, at }: Head, parts: readonly string[]): string {
  const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`;
  return [
    `<!doctype html>`,
    `<html lang="en"><head><meta charset="utf-8">${policy}`,
    `<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(`${name}: ${verdict.text}`)}</title><style>${PAGE_STYLE}</style></head>`,
    `<body><h1>${escape(name)} <span class="verdict ${verdict.level}">${escape(verdict.text)}</span></h1>`,
    `<p class="dim">${escape(note)}, checked at ${escape(at.toISOString().replace(/\.\d+Z$/, "Z"))}</p>`,
    ...parts,
    `</body></html>`,
    ``,
  ].join("\n");
}

/** Findings as a list with a title; empty if there are none. */
export function renderFindings(title: string, findings: readonly Finding[]): string {
  if (findings.length === 0) return "";
  const items = findings.map(({ level, check, seen, remedy }) => {
    const command = remedy === undefined ? "" : `<code>${escape(remedy)}</code>`;
    return `<li class="${level}"><b>${SIGNS[level]} ${escape(check)}</b>${escape(seen)}${command}</li>`;
  });
  return `<h2>${title}</h2><ul>${items.join("")}</ul>`;
}
