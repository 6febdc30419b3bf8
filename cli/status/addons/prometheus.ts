import type { JobSight, PrometheusSight } from "../../../plan/addonsSight";
import { fail, ok, warn } from "../../doctor/finding";
import { type Difference, unseen } from "../difference";
import { firstOf, reasonOf, someOf } from "./words";

const CHECK = "prometheus";

/** Prometheus Operator's own manifests and the chart kube-prometheus-stack give it different names. */
const OPERATOR = "app.kubernetes.io/name in (prometheus-operator,kube-prometheus-stack-prometheus-operator)";

/** Whether each Prometheus runs, and reaches its targets. */
export function checkPrometheus(seen: readonly PrometheusSight[]): Difference[] {
  // A Prometheus with no replicas should have no pod.
  return seen.filter(({ wanted }) => wanted > 0).flatMap(checkOne);
}

function checkOne(own: PrometheusSight): Difference[] {
  const { namespace, name, wanted, available, conditions, jobs } = own;
  const title = `${namespace}/${name}`;
  const why = `kubectl -n ${namespace} describe prometheus ${name} says why`;
  if (available === undefined)
    return [
      fail(
        CHECK,
        `${title} was not started by its operator`,
        `kubectl get pods -A -l '${OPERATOR}' says whether the operator runs`,
      ),
    ];
  const seen = `${title} has ${available} of ${wanted} pods available${reasonOf("Available", conditions)}`;
  if (available === 0) return [fail(CHECK, seen, why)];
  return [
    ...(available < wanted ? [warn(CHECK, seen, why)] : []),
    ...(jobs === undefined ? [notAsked(own)] : checkJobs(own, jobs, available >= wanted)),
  ];
}

const notAsked = ({ namespace, name }: PrometheusSight): Difference =>
  unseen(CHECK, {
    why: `${namespace}/${name} did not report its targets`,
    remedy: `kubectl -n ${namespace} logs prometheus-${name}-0 -c prometheus; a NetworkPolicy there must let the servers reach port 9090`,
  });

function checkJobs({ namespace, name }: PrometheusSight, jobs: readonly JobSight[], isWhole: boolean): Difference[] {
  const title = `${namespace}/${name}`;
  if (jobs.length === 0)
    return [
      fail(CHECK, `${title} has no targets`, `kubectl get servicemonitors,podmonitors -A lists what it could watch`),
    ];
  const page = `kubectl -n ${namespace} port-forward prometheus-${name}-0 9090, then http://localhost:9090/targets says why`;
  const found = jobs
    .filter(({ down }) => down > 0)
    .map(({ job, up, down, silent }) => {
      const which = silent.length > 0 ? `; down: ${someOf(silent, down)}` : "";
      const words = `${title} reaches ${up} of ${up + down} targets of ${job ?? "a job"}${which}`;
      return up === 0 ? fail(CHECK, words, page) : warn(CHECK, words, page);
    });
  const up = jobs.reduce((sum, job) => sum + job.up, 0);
  if (found.length > 0)
    return [...firstOf(found, (count) => fail(CHECK, `${count} more jobs have targets that are down`, page))];
  return isWhole ? [ok(CHECK, `${title} runs and reaches all ${up} targets of ${jobs.length} jobs`)] : [];
}
