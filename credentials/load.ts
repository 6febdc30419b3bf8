import * as pulumi from "@pulumi/pulumi";

import { readCredentials, type StackConfig } from "./read";
import { hint, SOURCES } from "./sources";
import { agentProblem } from "./sshAgent";

/** What the program needs to act on a Proxmox host; absent values are placeholders in a preview. */
export interface Credentials {
  readonly apiToken: pulumi.Output<string>;
  /** Private key for root on the Proxmox host. */
  readonly hostKey: pulumi.Output<string>;
  /** Private key for root on the nodes. */
  readonly nodeKey: pulumi.Output<string>;
  /** True in a preview that lacks any of them. Nothing is reached with placeholders, nor is a change of theirs shown. */
  readonly placeholder: boolean;
}

/**
 * Reads the three credentials from secret config, else from the environment.
 *
 * A dry run does without: it takes placeholders and says so once. An `up` refuses with one message that lists all that
 * is missing or unusable.
 * @param authorizedKeys the public keys that nodes accept; one must belong to the nodes' private key
 */
export function loadCredentials(authorizedKeys: readonly string[]): Credentials {
  const { values, missing, problems } = readCredentials(ownConfig(), authorizedKeys);
  const lines = problems.map(({ problem, remedy }) => `${problem} (${remedy})`);
  // Nothing is dialled in a preview.
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
        "This preview runs without credentials and shows placeholders in their stead. `pulumi up` will need:",
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
  // The SDK knows, and leaves it out of its types.
  const { isConfigSecret } = pulumi.runtime as unknown as { isConfigSecret: (key: string) => boolean };
  return { get: (key) => config.get(key), isSecret: (key) => isConfigSecret(`${config.name}:${key}`) };
}
