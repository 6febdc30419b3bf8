import type { Settings } from "../config/schema";
import type { FluxSettings } from "../config/sections/flux";
import type { ReleasePlan } from "./charts";
import type { Cluster } from "./cluster";
import type { ApiObject } from "./object";
import { gitRepository, kustomization, nodeKustomization, SOPS_SECRET } from "./render/flux";
import type { SecretPlan } from "./secrets";

export const FLUX_NAMESPACE = "flux-system";

export interface FluxPlan {
  readonly namespace: string;
  /** Undefined if Flux is there already. */
  readonly release: ReleasePlan | undefined;
  readonly secrets: readonly SecretPlan[];
  readonly source: ApiObject;
  /** What is applied for the whole cluster. */
  readonly cluster: ApiObject;
  /** One for each node. */
  readonly nodes: readonly ApiObject[];
}

/** The plan of Flux; undefined if the config has none. */
export function planFlux({ flux }: Settings, cluster: Cluster, hasGitToken: boolean): FluxPlan | undefined {
  if (flux === undefined) return undefined;
  const namespace = FLUX_NAMESPACE;
  const git = gitSecret(flux, hasGitToken);
  const sops: SecretPlan[] = flux.sops ? [{ name: SOPS_SECRET, data: { "age.agekey": { secret: "sopsAgeKey" } } }] : [];
  const nodes = flux.nodes;
  return {
    namespace,
    release: flux.chart && { name: "flux", namespace, chart: flux.chart, values: FLUX_VALUES },
    secrets: [...git, ...sops],
    source: gitRepository(flux, namespace, git[0]?.name),
    cluster: kustomization(flux, namespace),
    nodes: nodes ? cluster.nodes.map((node) => nodeKustomization({ ...flux, nodes }, namespace, node)) : [],
  };
}

export const isSsh = ({ git }: Pick<FluxSettings, "git">): boolean => git.url.startsWith("ssh://");

/** The login of source-controller, and the server that it trusts. A token works with any user name. */
function gitSecret(flux: FluxSettings, hasGitToken: boolean): SecretPlan[] {
  const { knownHosts = "", ca } = flux.git;
  const data: SecretPlan["data"] = isSsh(flux)
    ? { identity: { secret: "gitIdentity" }, known_hosts: knownHosts }
    : {
        ...(hasGitToken ? { username: "git", password: { secret: "gitToken" } } : {}),
        ...(ca === undefined ? {} : { "ca.crt": ca }),
      };
  return Object.keys(data).length > 0 ? [{ name: "git", data }] : [];
}

/**
 * By default, Flux waits up to 15 minutes before it retries a Git server that refused the login. This is longer than `pulumi up`
 * waits, so an `up` with the right token would fail too.
 */
const RETRY = { container: { additionalArgs: ["--max-retry-delay=1m"] } };

/** The two controllers that the program uses; the chart has six. */
const FLUX_VALUES = {
  sourceController: RETRY,
  kustomizeController: RETRY,
  helmController: { create: false },
  imageAutomationController: { create: false },
  imageReflectionController: { create: false },
  notificationController: { create: false },
};
