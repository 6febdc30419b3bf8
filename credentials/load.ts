import * as pulumi from "@pulumi/pulumi";

import type { ClusterPlan } from "../plan/model";
import { readCredentials, type StackConfig } from "./read";
import { readRegistries } from "./registries";
import { hint, SOURCES } from "./sources";
import { agentProblem } from "./sshAgent";

/** What nodes get for K3s' `registries.yaml`. */
export interface RegistryFiles {
  /** The file with its logins; a secret. */
  readonly yaml: pulumi.Output<string>;
  /** The registries' CAs, each after a line `# REGISTRY`. */
  readonly cas: string;
  /** True in a preview with placeholders for logins. */
  readonly placeholder: boolean;
}

/** The credentials for a Proxmox host. In a preview, placeholders replace missing ones. */
export interface Credentials {
  readonly apiToken: pulumi.Output<string>;
  /** Private key for root on the Proxmox host. */
  readonly hostKey: pulumi.Output<string>;
  /** Private key for root on the nodes. */
  readonly nodeKey: pulumi.Output<string>;
  /** Absent if the config names no registry. */
  readonly registries?: RegistryFiles;
  /** True in a preview with placeholders. It connects to nothing, and shows no change of credentials. */
  readonly placeholder: boolean;
}

/**
 * Reads the three credentials from secret config, else from the environment. Also reads the logins of registries, if the config
 * names a registry with a login.
 *
 * A preview works without them: it uses placeholders and warns once. An `up` fails with one message that lists all missing and
 * unusable credentials.
 */
export function loadCredentials({ ssh, k3s }: Pick<ClusterPlan, "ssh" | "k3s">): Credentials {
  const config = ownConfig();
  const { values, ...own } = readCredentials(config, ssh.authorizedKeys);
  const registries = k3s.registries === undefined ? undefined : readRegistries(config, k3s.registries);
  const missing = [...own.missing, ...(registries?.missing ?? [])];
  const problems = [...own.problems, ...(registries?.problems ?? [])];
  const lines = problems.map(({ problem, remedy }) => `${problem} (${remedy})`);
  // A preview opens no connection.
  const agent = pulumi.runtime.isDryRun() ? undefined : agentProblem();
  if (agent !== undefined) lines.push(`${agent.seen}; ${agent.remedy}`);
  if (lines.length > 0 || (missing.length > 0 && !pulumi.runtime.isDryRun())) {
    throw new pulumi.RunError(
      ["These credentials are missing or unusable:", ...missing.map(hint), ...lines].join("\n  - "),
    );
  }
  if (missing.length > 0) {
    void pulumi.log.warn(
      [
        "This preview runs without credentials and shows placeholders instead. `pulumi up` needs:",
        ...missing.map(hint),
      ].join("\n  - "),
    );
  }
  return {
    apiToken: pulumi.secret(values.apiToken ?? SOURCES.apiToken.placeholder),
    hostKey: pulumi.secret(values.hostKey ?? SOURCES.hostKey.placeholder),
    nodeKey: pulumi.secret(values.nodeKey ?? SOURCES.nodeKey.placeholder),
    placeholder: own.missing.length > 0,
    ...(registries === undefined
      ? {}
      : {
          registries: {
            yaml: pulumi.secret(registries.yaml),
            cas: registries.cas,
            placeholder: registries.missing.length > 0,
          },
        }),
  };
}

function ownConfig(): StackConfig {
  const config = new pulumi.Config();
  // The SDK has this function, but its types do not.
  const { isConfigSecret } = pulumi.runtime as unknown as { isConfigSecret: (key: string) => boolean };
  return { get: (key) => config.get(key), isSecret: (key) => isConfigSecret(`${config.name}:${key}`) };
}
