import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { z } from "zod";

import type { ReleasePlan } from "../plan/charts";
import type { Problem } from "../plan/load";
import { type NextStep, nextStep, RELEASE_DESCRIPTION, type ReleaseRecord } from "../plan/releaseRecords";
import type { Standing } from "../plan/standing";
import type { KubernetesApi } from "./kubernetesApi";

export interface RecordsContext {
  readonly api: Pick<KubernetesApi, "request">;
  readonly standing: Standing;
  /** Helm's timeout, in seconds. */
  readonly timeout: number;
  /** Prints a line for the user. */
  readonly say: (line: string) => void;
}

/** The seconds between two looks at a run that may still be working. */
const PERIOD = 5;

/**
 * Prepares Helm for the releases that the program is about to create: removes records of killed runs of Helm. It waits while such
 * a run may still be working. If the API gives no answer, nothing changes, and Helm reports the problem itself.
 * @returns problems that the program must not remove
 */
export async function freeReleases(plans: readonly ReleasePlan[], context: RecordsContext): Promise<Problem[]> {
  return (await Promise.all(plans.map((plan) => freeRelease(plan, context)))).flat();
}

async function freeRelease(plan: ReleasePlan, context: RecordsContext): Promise<Problem[]> {
  const { name, namespace } = plan;
  const { api, standing, timeout, say } = context;
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  for (let isFirst = true; ; isFirst = false) {
    const records = await readRecords(api, secrets, name);
    if (records === undefined) return [];
    const step = nextStep(records, name in standing.releases, timeout);
    switch (step.kind) {
      case "go":
        return [];
      case "foreign":
      case "removal":
        return [obstacle(plan, step.kind)];
      case "wait":
        if (isFirst) say(waits(plan, step));
        await sleep(1000 * Math.min(PERIOD, step.seconds));
        break;
      case "remove":
        for (const { name: secret, precondition } of step.records) {
          const path = `${secrets}/${secret}`;
          const answer = await api.request("DELETE", path, { preconditions: precondition }).catch(() => undefined);
          // 404 and 409: it was deleted or changed in the meantime, so the next look decides.
          if (![200, 404, 409].includes(answer?.status ?? 0)) return [];
        }
        say(`${name}: removed Helm's record of a run that was killed`);
    }
  }
}

function waits({ name, namespace }: ReleasePlan, { seconds, records }: Extract<NextStep, { kind: "wait" }>): string {
  const secrets = records.map((record) => record.name).join(" ");
  return [
    `${name}: Helm may still be at work for a \`pulumi up\` that was killed: waiting for up to ${Math.ceil(seconds)} s.`,
    `If you know that it no longer runs: kubectl -n ${namespace} delete secret ${secrets}`,
  ].join(" ");
}

function obstacle({ name, namespace }: ReleasePlan, kind: "foreign" | "removal"): Problem {
  const path = `addons: the release ${name}`;
  if (kind === "removal")
    return {
      path,
      problem: "was being removed when the removal was interrupted",
      hint: "remove it from the config and run `pulumi up`, which completes the removal; then put it back",
    };
  return {
    path,
    problem: `is in the namespace ${namespace} already, and this stack has not installed it`,
    hint: `to let the program take it over, delete Helm's records of it, which stops nothing: kubectl -n ${namespace} delete secret -l owner=helm,name=${name}`,
  };
}

const secretSchema = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    creationTimestamp: z.string(),
    labels: z.object({ status: z.string() }),
  }),
  data: z.object({ release: z.string() }),
});
const listSchema = z.object({ items: z.array(secretSchema) });

/** Helm's records of a release; undefined if the API gives no answer. */
async function readRecords(
  api: RecordsContext["api"],
  secrets: string,
  release: string,
): Promise<ReleaseRecord[] | undefined> {
  const selector = encodeURIComponent(`owner=helm,name=${release}`);
  const answer = await api.request("GET", `${secrets}?labelSelector=${selector}`).catch(() => undefined);
  if (answer?.status !== 200) return undefined;
  const list = listSchema.safeParse(answer.body);
  return list.data?.items.map(({ metadata, data }) => {
    const { name, uid, resourceVersion, creationTimestamp, labels } = metadata;
    const age = (answer.at.getTime() - new Date(creationTimestamp).getTime()) / 1000;
    const isOurs = descriptionOf(data.release) === RELEASE_DESCRIPTION;
    return { name, precondition: { uid, resourceVersion }, status: labels.status, age, isOurs };
  });
}

const contentSchema = z.object({ info: z.object({ description: z.string() }) });

/** Helm keeps base64 of compressed JSON, and Kubernetes base64 of that; undefined if it is something else. */
function descriptionOf(release: string): string | undefined {
  try {
    const packed = Buffer.from(Buffer.from(release, "base64").toString(), "base64");
    return contentSchema.safeParse(JSON.parse(gunzipSync(packed).toString())).data?.info.description;
  } catch {
    return undefined;
  }
}
