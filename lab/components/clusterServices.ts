import * as path from "node:path";
import { labEnv } from "../commands/env";
import { run } from "../host/run";
import type { Lab } from "../lab";
import type { Log } from "../support/cache";

const manifest = (name: string): string => path.join(__dirname, "manifests", `${name}.yaml`);

/** In the time of a busy machine. */
const timeout = "--timeout=180s";

/**
 * Gives the cluster of a lab for add-ons what a user's K3s has by itself: CoreDNS, which the lab's config turns off, and what enforces
 * NetworkPolicies, which the stand-in for K3s lacks. Waits until both run. It may be called twice, and again after nodes joined.
 *
 * @throws CommandError with kubectl's words, if the cluster does not stand or a pod does not start
 */
export async function installClusterServices(lab: Lab, log: Log): Promise<void> {
  const kubectl = (...args: string[]): Promise<string> => run("kubectl", args, { env: labEnv(lab) });
  // Every other K3s has its own.
  const hasPolicies = lab.k3s.kind !== "stand-in";
  const manifests = ["coredns", ...(hasPolicies ? [] : ["network-policies"])];
  await kubectl("apply", ...manifests.flatMap((name) => ["-f", manifest(name)]));
  const rollout = (what: string): Promise<string> => kubectl("-n", "kube-system", "rollout", "status", what, timeout);
  await rollout("deployment/coredns");
  if (!hasPolicies) await rollout("daemonset/kube-router");
  log(`the cluster has DNS and enforces NetworkPolicies (${hasPolicies ? "K3s" : "kube-router"})`);
}
