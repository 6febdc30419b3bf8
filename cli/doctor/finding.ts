/** What one check found. */
export interface Finding {
  /** `skip`: the check could not run, because of another failure. */
  readonly level: "ok" | "warn" | "fail" | "skip";
  /** Name of the check, for example `host-key`. */
  readonly check: string;
  /** What was seen, in a few words. */
  readonly seen: string;
  /** One command or one sentence; with every warning and failure. */
  readonly remedy?: string;
  /** The guest that an interrupted creation left behind. */
  readonly vmId?: number;
}

export const ok = (check: string, seen: string): Finding => ({ level: "ok", check, seen });
export const warn = (check: string, seen: string, remedy: string): Finding => ({ level: "warn", check, seen, remedy });
export const fail = (check: string, seen: string, remedy: string): Finding => ({ level: "fail", check, seen, remedy });
export const skip = (check: string, why: string): Finding => ({ level: "skip", check, seen: `not checked: ${why}` });

/** The checks of `scripts/host/preflight*.sh` that always report, in their order. */
export const HOST_CHECKS = [
  "proxmox-version",
  "proxmox-node",
  "lxc-pve",
  "cgroup",
  "kernel-modules",
  "sysctls",
  "bridge",
  "resource-pool",
  "storage",
  "template",
  "vmid",
  "address",
  "creation",
] as const;

/**
 * Reads the answer of `scripts/host/preflight.sh`: one finding per line, with level, check, seen, remedy and VMID separated by
 * tabs.
 * @throws Error if a line has another form, or if a check did not report: a check that did not run has not passed
 */
export function parseFindings(text: string): Finding[] {
  const findings = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [level, check, seen, remedy, vmId] = line.split("\t");
      if (!isScriptLevel(level) || !check || seen === undefined || !/^\d*$/.test(vmId ?? ""))
        throw new Error(`not a finding: ${line}`);
      return { level, check, seen, ...(remedy ? { remedy } : {}), ...(vmId ? { vmId: Number(vmId) } : {}) };
    });
  const silent = HOST_CHECKS.filter((name) => !findings.some(({ check }) => check === name));
  if (silent.length > 0) throw new Error(`these checks on the Proxmox host did not report: ${silent.join(", ")}`);
  return findings;
}

/**
 * A guest whose set-up never finished needs `recover` only if it is not in the state. Otherwise the next `up` finishes it.
 * @param inState VMIDs of the guests in the state
 */
export function withState(findings: readonly Finding[], inState: ReadonlySet<number>): Finding[] {
  return findings.map((finding) =>
    finding.vmId !== undefined && inState.has(finding.vmId)
      ? { ...finding, remedy: "pulumi up, which goes on with it" }
      : finding,
  );
}

function isScriptLevel(level: string | undefined): level is "ok" | "warn" | "fail" {
  return level === "ok" || level === "warn" || level === "fail";
}
