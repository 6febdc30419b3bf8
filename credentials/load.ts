import * as pulumi from "@pulumi/pulumi";

import { readCredentials, type StackConfig } from "./read";
import { hint, SOURCES } from "./sources";
import { agentProblem } from "./sshAgent";

/** The credentials for a Proxmox host. In a preview, placeholders stand in for missing ones. */
export interface Credentials {
  readonly apiToken: pulumi.Output<string>;
  /** Private key for root on the Proxmox host. */
  readonly hostKey: pulumi.Output<string>;
  /** Private key for root on the nodes. */
  readonly nodeKey: pulumi.Output<string>;
  /** True in a preview with placeholders. It connects to nothing, and shows no change of credentials. */
  readonly placeholder: boolean;
}

/**
 * Reads the three credentials from secret config, else from the environment.
 *
 * A preview works without them: it uses placeholders and warns once. An `up` fails with one message that lists all missing
 * and unusable credentials.
 * @param authorizedKeys the public keys that nodes accept; one must belong to the nodes' private key
 */
export function loadCredentials(authorizedKeys: readonly string[]): Credentials {
  const { values, missing, problems } = readCredentials(ownConfig(), authorizedKeys);
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
    placeholder: missing.length > 0,
  };
}

function ownConfig(): StackConfig {
  const config = new pulumi.Config();
  // The SDK has this function, but its types do not.
  const { isConfigSecret } = pulumi.runtime as unknown as { isConfigSecret: (key: string) => boolean };
  return { get: (key) => config.get(key), isSecret: (key) => isConfigSecret(`${config.name}:${key}`) };
}
