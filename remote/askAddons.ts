import { z } from "zod";

import type {
  AddonSight,
  AddonsSight,
  Condition,
  FluxObjectSight,
  IngressSight,
  JobSight,
  LonghornDiskSight,
  LonghornNodeSight,
  LonghornSight,
  PrometheusSight,
} from "../plan/addonsSight";
import { ADDONS_OWNER } from "../plan/addonNames";
import type { ClusterPlan } from "../plan/model";
import { meshLines } from "../plan/render/meshLines";
import { lookAtCluster } from "./clusterLook";
import { LABEL } from "./shapes";
import type { ShellTarget } from "./sshClient";

/** Kubernetes' own rules: a namespace is an RFC 1123 label, the name of an object a subdomain. */
const NAMESPACE = new RegExp(`^${LABEL}$`);
const OBJECT_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const COUNT = /^[0-9]{1,9}$/;
/** The form of a condition's type and reason (metav1.Condition), shorter. */
const REASON = /^[A-Za-z](?:[A-Za-z0-9_,:]{0,62}[A-Za-z0-9_])?$/;
const FLUX_KIND = /^[A-Z][A-Za-z]{0,30}$/;
const DISK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;
const DISK_PATH = /^\/[A-Za-z0-9/._-]{0,253}$/;
/** A scrape job is named after its monitor, `namespace/name/0`; a target after its address. */
const JOB = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?$/;
const INSTANCE = /^[A-Za-z0-9[][A-Za-z0-9.:[\]_/-]{0,127}$/;

/**
 * Asks a cluster about its storage, GitOps, monitoring and ingress. The script runs on the Proxmox host and changes nothing.
 * @param clusterId the anchor's random id
 * @returns undefined if no server answers
 * @throws ConnectionError if the host cannot be reached; Error with the cause and the next step if the script failed
 */
export async function askAddons(
  target: ShellTarget,
  plan: ClusterPlan,
  clusterId: string,
): Promise<AddonsSight | undefined> {
  const answer = await lookAtCluster(target, {
    ...{ task: "addons", cluster: plan.name, clusterId, boundSeconds: 240 },
    title: "what runs in the cluster",
    args: { MESH: meshLines(plan) },
  });
  return parseAddons(answer);
}

type Words = readonly string[];

/**
 * Reads the answer of `scripts/host/addons.sh`. If a value of an add-on does not have its form, the add-on is unknown.
 * @returns undefined if no server answered
 */
export function parseAddons(text: string): AddonsSight | undefined {
  const lines = text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t"));
  if (lines.length === 0) return undefined;
  const of = (kind: string): Words[] => lines.filter(([first]) => first === kind).map(([, ...words]) => words);
  const addon = <T>(name: keyof AddonsSight, read: () => T): AddonSight<T> => {
    const is = of("addon").find(([of]) => of === name)?.[1];
    if (is === "absent") return { is };
    if (is !== "there") return { is: "unknown" };
    try {
      return { is, seen: read() };
    } catch {
      return { is: "unknown" };
    }
  };
  return {
    longhorn: addon("longhorn", () => longhornOf(of)),
    flux: addon("flux", () => of("flux").map(fluxOf)),
    prometheus: addon("prometheus", () => of("prometheus").map((words) => prometheusOf(words, of("targets")))),
    ingress: addon("ingress", () => ingressOf(of("ingress")[0] ?? [], of("port"))),
  };
}

/** @throws Error if the word has another form */
function word(form: RegExp, text = ""): string {
  if (!form.test(text)) throw new Error("a word of another form");
  return text;
}
const count = (text?: string): number => Number(word(COUNT, text));
const countOr = <T>(text: string | undefined, otherwise: T): number | T => (text ? count(text) : otherwise);
const json = (text = ""): unknown => (text === "" ? undefined : JSON.parse(text));
const formed = (form: RegExp, text?: string): string | undefined =>
  text !== undefined && form.test(text) ? text : undefined;

const conditionList = z
  .array(
    z.looseObject({
      type: z.string(),
      status: z.enum(["True", "False", "Unknown"]),
      reason: z.string().optional(),
    }),
  )
  .default([]);

function conditionsOf(value: unknown): Condition[] {
  return conditionList
    .parse(value)
    .filter(({ type }) => REASON.test(type))
    .map(({ type, status, reason }) => ({ type, status, reason: formed(REASON, reason) }));
}

const scheduling = {
  allowScheduling: z.boolean().default(false),
  evictionRequested: z.boolean().default(false),
};
const longhornSpec = z.looseObject({
  ...scheduling,
  disks: z.record(z.string(), z.looseObject({ ...scheduling, path: z.string().default("") })).default({}),
});
const diskStatus = z.record(z.string(), z.looseObject({ conditions: z.unknown().optional() })).default({});

function longhornOf(of: (kind: string) => Words[]): LonghornSight {
  const [all, degraded, faulted] = of("longhorn-volumes")[0] ?? [];
  return {
    nodes: of("longhorn-node").map(longhornNodeOf),
    volumes: { all: count(all), degraded: count(degraded), faulted: count(faulted) },
    unwell: of("longhorn-volume").map(([namespace, name, robustness]) => {
      if (robustness !== "degraded" && robustness !== "faulted") throw new Error("no volume");
      return { namespace: word(NAMESPACE, namespace), name: word(OBJECT_NAME, name), robustness };
    }),
  };
}

function longhornNodeOf([namespace, name, spec, conditions, status]: Words): LonghornNodeSight {
  const { disks, allowScheduling, evictionRequested } = longhornSpec.parse(json(spec) ?? {});
  const statuses = diskStatus.parse(json(status));
  return {
    ...{ namespace: word(NAMESPACE, namespace), name: word(OBJECT_NAME, name), allowScheduling, evictionRequested },
    conditions: conditionsOf(json(conditions)),
    disks: Object.entries(disks).flatMap(([disk, own]): LonghornDiskSight[] => {
      const path = own.path.replace(/\/+$/, "");
      if (!DISK_NAME.test(disk) || !DISK_PATH.test(path)) return [];
      const { allowScheduling, evictionRequested } = own;
      return [
        { name: disk, path, allowScheduling, evictionRequested, conditions: conditionsOf(statuses[disk]?.conditions) },
      ];
    }),
  };
}

function fluxOf(words: Words): FluxObjectSight {
  const [kind, namespace, name, owner, generation, suspended, observed, conditions] = words;
  return {
    kind: word(FLUX_KIND, kind),
    namespace: word(NAMESPACE, namespace),
    name: word(OBJECT_NAME, name),
    isOfAddons: owner === ADDONS_OWNER,
    isSuspended: suspended === "true",
    isCurrent: countOr(observed, -1) >= countOr(generation, 0),
    conditions: conditionsOf(json(conditions)),
  };
}

function prometheusOf(words: Words, targets: readonly Words[]): PrometheusSight {
  const [namespace, name, replicas, shards, available, conditions] = words;
  const said = targets.find(([inNamespace, ofName]) => inNamespace === namespace && ofName === name)?.[2];
  return {
    namespace: word(NAMESPACE, namespace),
    name: word(OBJECT_NAME, name),
    wanted: countOr(replicas, 1) * countOr(shards, 1),
    available: countOr(available, undefined),
    conditions: conditionsOf(json(conditions)),
    jobs: said === undefined ? undefined : jobsOf(said),
  };
}

/** Prometheus' answer to a query (https://prometheus.io/docs/prometheus/latest/querying/api/#instant-vectors). */
const vector = z.looseObject({
  status: z.literal("success"),
  data: z.looseObject({
    resultType: z.literal("vector"),
    result: z.array(
      z.looseObject({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) }),
    ),
  }),
});

/** @returns undefined if the text is not an answer of Prometheus */
function jobsOf(text: string): JobSight[] | undefined {
  try {
    const { result } = vector.parse(JSON.parse(text)).data;
    const counts = result.filter(({ metric }) => metric["up"] === "0" || metric["up"] === "1");
    const silent = result.filter(({ metric }) => metric["up"] === undefined);
    const jobs = [...new Set(counts.map(({ metric }) => metric["job"]))];
    return jobs.map((job) => {
      const number = (up: "0" | "1"): number =>
        counts
          .filter(({ metric }) => metric["job"] === job && metric["up"] === up)
          .reduce((sum, { value }) => sum + count(value[1]), 0);
      const instances = silent.filter(({ metric }) => metric["job"] === job).map(({ metric }) => metric["instance"]);
      return {
        job: formed(JOB, job),
        ...{ up: number("1"), down: number("0") },
        silent: instances.flatMap((instance) => formed(INSTANCE, instance) ?? []),
      };
    });
  } catch {
    return undefined;
  }
}

function ingressOf([namespace, name, ports]: Words, answers: readonly Words[]): IngressSight {
  return {
    namespace: word(NAMESPACE, namespace),
    name: word(OBJECT_NAME, name),
    nodePorts: [...new Set((ports ?? "").split(" ").map(count))],
    ports: answers.map(([node, port, answer]) => {
      if (answer !== "answers" && answer !== "silent") throw new Error("no port");
      return { node: word(OBJECT_NAME, node), port: count(port), answers: answer === "answers" };
    }),
  };
}
