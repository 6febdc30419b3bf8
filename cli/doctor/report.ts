import type { Finding } from "./finding";

export const SIGNS: Readonly<Record<Finding["level"], string>> = { ok: "✓", warn: "!", fail: "✗", skip: "–" };

/** The findings for a person: one line each, the remedy below it, and the counts at the end. */
export function renderReport(findings: readonly Finding[]): string {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ level, check, seen, remedy }) => [
    `${SIGNS[level]} ${check.padEnd(width)}  ${seen}`,
    ...(remedy === undefined ? [] : [`  ${" ".repeat(width)}  → ${remedy}`]),
  ]);
  return [...lines, "", summary(findings), ""].join("\n");
}

/** The findings as JSON, for programs. */
export function renderJson(findings: readonly Finding[]): string {
  return `${JSON.stringify({ ok: isHealthy(findings), findings }, undefined, 2)}\n`;
}

/** True if no check failed; a warning is not a failure. */
export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ level }) => level !== "fail");
}

function summary(findings: readonly Finding[]): string {
  const count = (level: Finding["level"]): number => findings.filter((finding) => finding.level === level).length;
  const words = { ok: "passed", warn: "with a warning", fail: "failed", skip: "not checked" } as const;
  return (["ok", "warn", "fail", "skip"] as const)
    .filter((level) => count(level) > 0)
    .map((level) => `${count(level)} ${words[level]}`)
    .join(", ");
}
