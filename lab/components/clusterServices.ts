import * as path from "node:path";
import { labEnv } from "../commands/env";
import { run } from "../host/run";
import type { Lab } from "../lab";
import type { Log } from "../support/cache";

const manifest = (name: string): string => path.join(__dirname, "manifests", `${name}.yaml`);

/** Long enough for a busy machine. */
const timeout = "--timeout=180s";

/**
 * Installs into the cluster of a lab for add-ons what a user's K3s brings: CoreDNS, which the lab's config turns off, and the
 * NetworkPolicy controller, which the stand-in for K3s lacks. Waits until both run. May be called again, also after nodes joined.
 *
 * @throws CommandError with kubectl's message, if the cluster does not run or a pod does not start
 */
export async function installClusterServices(lab: Lab, log: Log): Promise<void> {
  const kubectl = (...args: string[]): Promise<string> => run("kubectl", args, { env: labEnv(lab) });
  // Every real K3s brings its own controller.
  const hasPolicies = lab.k3s.kind !== "stand-in";
  const manifests = ["coredns", ...(hasPolicies ? [] : ["network-policies"])];
  await kubectl("apply", ...manifests.flatMap((name) => ["-f", manifest(name)]));
  const rollout = (what: string): Promise<string> => kubectl("-n", "kube-system", "rollout", "status", what, timeout);
  await rollout("deployment/coredns");
  if (!hasPolicies) await rollout("daemonset/kube-router");
  log(`the cluster has DNS and enforces NetworkPolicies (${hasPolicies ? "K3s" : "kube-router"})`);
}
