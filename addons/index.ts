import * as pulumi from "@pulumi/pulumi";

import { Addons } from "./components/Addons";
import { readClusterStack } from "./components/clusterStack";
import { clusterProvider } from "./components/provider";
import { archiveProblems } from "./components/release";
import { freeReleases } from "./components/releaseRecords";
import { readSecrets } from "./components/secrets";
import { readStanding } from "./components/standing";
import { ConfigError, loadSettings, type Problem } from "./plan/load";
import { planAddons, releasesOf } from "./plan/plan";
import { requiredSecrets, type SecretName } from "./plan/secrets";

/** Everything that is read and decided before the first resource is created. */
async function prepare() {
  const { secrets, problemsOf } = readSecrets();
  const settings = loadSettings(new pulumi.Config().getObject("addons"), (draft) => problemsOf(requiredSecrets(draft)));
  const { cluster, kubeconfig, api } = await readClusterStack(settings.cluster);
  const standing = await readStanding();
  const plan = planAddons(settings, cluster, Object.keys(secrets) as SecretName[], standing);
  const releases = releasesOf(plan);
  const refuse = (problems: readonly Problem[]) => {
    if (problems.length > 0) throw new ConfigError(problems);
  };
  refuse(archiveProblems(releases));
  // A preview sends no request to the cluster.
  if (!pulumi.runtime.isDryRun() && api) {
    const say = (line: string) => void pulumi.log.info(line);
    refuse(await freeReleases(releases, { api, standing, timeout: plan.timeout, say }));
  }
  return { plan, kubeconfig, secrets, api };
}

export = async function main() {
  const { plan, kubeconfig, secrets, api } = await prepare().catch((error: unknown) => {
    throw error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
  });
  // Only in a preview, because an `up` with its preview would print it twice.
  if (pulumi.runtime.isDryRun()) for (const warning of plan.warnings) void pulumi.log.warn(warning);
  const { clusterName, apiEndpoint } = plan.cluster;
  new Addons(clusterName, { plan, secrets, api, provider: clusterProvider(plan.cluster, kubeconfig) });
  return { cluster: clusterName, apiEndpoint, ...(plan.ingress && { nodePorts: plan.ingress.nodePorts }) };
};
