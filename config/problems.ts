/** One thing that is wrong with the config. */
export interface Problem {
  /** Where, in the form that `pulumi config set --path` takes: `cluster.pools.worker.count`. */
  readonly path: string;
  /** What, continuing the path: "must be a whole number from 0 to 250, not -1". */
  readonly problem: string;
  /** A way on. */
  readonly hint?: string;
}

/** The config cannot be planned. The message lists every problem, one a line. */
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
