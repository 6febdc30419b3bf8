import type { Lab } from "./lab";

/** A target, as Prometheus reports it. */
export interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly scrapeUrl: string;
  readonly health: "up" | "down" | "unknown";
  readonly lastError: string;
}

/** A rule as Prometheus evaluates it. */
export interface Rule {
  readonly name: string;
  readonly query: string;
  readonly health: "ok" | "err" | "unknown";
  readonly lastError?: string;
  readonly state: "inactive" | "pending" | "firing";
  readonly alerts: readonly { readonly labels: Readonly<Record<string, string>>; readonly state: string }[];
}

/** A series of an instant query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  /** Time and value. */
  readonly value: readonly [number, string];
}

/** The paths of the kubelet that the chart scrapes, each as its own target. */
export const KUBELET_PATHS = ["/metrics", "/metrics/cadvisor", "/metrics/probes"];

/** The Prometheus of a lab's cluster. Queries go through the proxy of the Kubernetes API, as those of `status`. */
export class Prometheus {
  /** @param service its Service and port, `NAME:PORT` */
  constructor(
    private readonly lab: Lab,
    private readonly namespace: string,
    private readonly service: string,
  ) {}

  async targets(): Promise<Target[]> {
    const { activeTargets } = await this.ask<{ activeTargets: Target[] }>("targets?state=active");
    return activeTargets;
  }

  async rules(): Promise<Rule[]> {
    const { groups } = await this.ask<{ groups: { rules: Rule[] }[] }>("rules");
    return groups.flatMap(({ rules }) => rules);
  }

  /** The current value of an expression. */
  async query(expr: string): Promise<Sample[]> {
    return (await this.ask<{ result: Sample[] }>(`query?query=${encodeURIComponent(expr)}`)).result;
  }

  private async ask<T>(what: string): Promise<T> {
    const proxy = `/api/v1/namespaces/${this.namespace}/services/${this.service}/proxy/api/v1/${what}`;
    const { status, data } = JSON.parse(await this.lab.kubectl("get", "--raw", proxy)) as { status: string; data: T };
    if (status !== "success") throw new Error(`Prometheus answers ${what} with ${status}`);
    return data;
  }
}

/** Whether exactly these nodes are scraped: the node-exporter of each, and each path of its kubelet. */
export const isAsked = (targets: readonly Target[], nodes: readonly string[]): boolean =>
  nodesOf("node-exporter", targets).join() === nodes.join() &&
  nodesOf("kubelet", targets).join() === nodes.flatMap((name) => KUBELET_PATHS.map(() => name)).join();

/** Names of the nodes in a job's targets, one for each target. */
export const nodesOf = (job: string, targets: readonly Target[]): string[] =>
  targets.flatMap(({ labels }) => (labels["job"] === job ? [labels["node"] ?? "no node"] : [])).sort();

export const targetOf = (job: string, node: string, targets: readonly Target[]): Target | undefined =>
  targets.find(({ labels }) => labels["job"] === job && labels["node"] === node);

/** Number of targets by job. */
export function countByJob(targets: readonly Target[]): Record<string, number> {
  const jobs = targets.map(({ labels }) => labels["job"] ?? "no job");
  return Object.fromEntries([...new Set(jobs)].map((job) => [job, jobs.filter((each) => each === job).length]));
}

/** @throws Error if there is none */
export function ruleOf(alert: string, rules: readonly Rule[]): Rule {
  const rule = rules.find(({ name }) => name === alert);
  if (rule === undefined) throw new Error(`Prometheus has no rule ${alert}`);
  return rule;
}
