/** What one check found. */
export interface Finding {
  /** `skip`: another failure is in the way of looking. */
  readonly level: "ok" | "warn" | "fail" | "skip";
  /** Name of the check, `host-key`. */
  readonly check: string;
  /** What was seen, in a few words. */
  readonly seen: string;
  /** One command or one sentence; with every warning and failure. */
  readonly remedy?: string;
}

export const ok = (check: string, seen: string): Finding => ({ level: "ok", check, seen });
export const warn = (check: string, seen: string, remedy: string): Finding => ({ level: "warn", check, seen, remedy });
export const fail = (check: string, seen: string, remedy: string): Finding => ({ level: "fail", check, seen, remedy });
export const skip = (check: string, why: string): Finding => ({ level: "skip", check, seen: `not looked at: ${why}` });

/**
 * Reads what `scripts/host/preflight.sh` answers: a line a finding, level, check, seen and remedy separated by tabs.
 * @throws Error where a line has another form
 */
export function parseFindings(text: string): Finding[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [level, check, seen, remedy] = line.split("\t");
      if (!isScriptLevel(level) || !check || seen === undefined) throw new Error(`not a finding: ${line}`);
      return { level, check, seen, ...(remedy ? { remedy } : {}) };
    });
}

function isScriptLevel(level: string | undefined): level is "ok" | "warn" | "fail" {
  return level === "ok" || level === "warn" || level === "fail";
}
