/** One problem in the config. */
export interface Problem {
  /** Its place, as `pulumi config set --path` takes it: `cluster.pools.worker.count`. */
  readonly path: string;
  /** The problem, as a continuation of the path: "must be a whole number from 0 to 250, not -1". */
  readonly problem: string;
  /** How to fix it. */
  readonly hint?: string;
}

/** The config has problems. The message lists all of them, one per line. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  /** In the order of their paths. */
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const sorted = [...problems].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    super(sorted.map(formatProblem).join("\n"));
    this.problems = sorted;
  }
}

/** `path: problem (hint)` */
export function formatProblem({ path, problem, hint }: Problem): string {
  return `${path}: ${problem}${hint === undefined ? "" : ` (${hint})`}`;
}
