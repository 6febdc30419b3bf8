import * as pulumi from "@pulumi/pulumi";

import { Addons } from "./components/Addons";
import { readClusterStack } from "./components/clusterStack";
import { clusterProvider } from "./components/provider";
import { archiveProblems } from "./components/release";
import { readSecrets } from "./components/secrets";
import { readStanding } from "./components/standing";
import { ConfigError, loadSettings } from "./plan/load";
import { planAddons, releasesOf } from "./plan/plan";
import { requiredSecrets, type SecretName } from "./plan/secrets";

/** Everything that is read and decided before the first resource is made. */
async function prepare() {
  const { secrets, problemsOf } = readSecrets();
  const settings = loadSettings(new pulumi.Config().getObject("addons"), (draft) => problemsOf(requiredSecrets(draft)));
  const { cluster, kubeconfig } = await readClusterStack(settings.cluster);
  const plan = planAddons(settings, cluster, Object.keys(secrets) as SecretName[], await readStanding());
  const problems = archiveProblems(releasesOf(plan));
  if (problems.length > 0) throw new ConfigError(problems);
  return { plan, kubeconfig, secrets };
}

export = async function main() {
  const { plan, kubeconfig, secrets } = await prepare().catch((error: unknown) => {
    throw error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
  });
  // An `up` with its preview would say it twice.
  if (pulumi.runtime.isDryRun()) for (const warning of plan.warnings) void pulumi.log.warn(warning);
  const { clusterName, apiEndpoint } = plan.cluster;
  new Addons(clusterName, { plan, secrets, kubeconfig, provider: clusterProvider(plan.cluster, kubeconfig) });
  return { cluster: clusterName, apiEndpoint, ...(plan.ingress && { nodePorts: plan.ingress.nodePorts }) };
};
