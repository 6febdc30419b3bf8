import { ownCommand } from "../../config/ownCommand";
import type { ClusterPlan } from "../../plan/model";
import { RENEWAL_DAYS } from "../../plan/repairs";
import { fail, ok } from "../doctor/finding";
import { broken, type Difference, odd, unseen } from "./difference";
import type { Sight } from "./sight";

const DAY = 86_400_000;

const USES = { admin: "the cluster's admin", serving: "the API" } as const;

/** The certificates on the servers' disks. */
export function checkCertificates(plan: ClusterPlan, { cluster, at }: Sight): readonly Difference[] {
  if (!("seen" in cluster)) return [unseen("certificates", cluster)];
  const { certificates } = cluster.seen;
  const found = certificates.flatMap(({ server, use, ends }) => {
    const planned = plan.servers.find(({ name }) => name === server);
    if (!planned) return [];
    const remedy = "pulumi up, which restarts K3s there, and that makes a new one";
    if (!ends) return [broken("certificates", server, `has no readable certificate for ${USES[use]}`, remedy)];
    const left = daysLeft(ends, at);
    if (left > RENEWAL_DAYS) return [];
    const say = left < 0 ? broken : odd;
    return [say("certificates", server, `has a certificate for ${USES[use]} that ${endText(ends, at)}`, remedy)];
  });
  if (found.length > 0) return found;
  const first = earliest(certificates.flatMap(({ ends }) => ends ?? []));
  if (!first) return [unseen("certificates", { why: "no server showed one" })];
  return [ok("certificates", `the first ends on ${dateOf(first)}`)];
}

/** The kubeconfig in the stack's outputs. */
export function checkKubeconfig({ kubeconfig, at }: Sight): Difference {
  if (!("seen" in kubeconfig)) return unseen("kubeconfig", kubeconfig);
  const { ends } = kubeconfig.seen;
  if (daysLeft(ends, at) > RENEWAL_DAYS) return ok("kubeconfig", `the stack's is good until ${dateOf(ends)}`);
  return fail(
    "kubeconfig",
    `the stack's ${endText(ends, at)}`,
    `pulumi up, which reads it again; ${ownCommand("kubeconfig")} prints a fresh one`,
  );
}

const daysLeft = (ends: Date, at: Date): number => Math.floor((ends.getTime() - at.getTime()) / DAY);
const dateOf = (date: Date): string => date.toISOString().slice(0, 10);
const endText = (ends: Date, at: Date): string => `${daysLeft(ends, at) < 0 ? "ended" : "ends"} on ${dateOf(ends)}`;
const earliest = (dates: readonly Date[]): Date | undefined =>
  dates.reduce<Date | undefined>((first, date) => (first && first <= date ? first : date), undefined);
