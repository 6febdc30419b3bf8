import * as pulumi from "@pulumi/pulumi";

import { type CredentialSource, fromEnvironment, hint, SOURCES } from "./sources";
import { keyProblems } from "./keyProblems";
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
  const config = new pulumi.Config();
  const problems: string[] = [];
  const missing: string[] = [];
  const find = (source: CredentialSource): string | undefined => {
    try {
      const value = config.get(source.configKey) ?? fromEnvironment(source);
      if (value === undefined) missing.push(hint(source));
      return value;
    } catch (error) {
      problems.push(`${source.env}: ${(error as Error).message}`);
      return undefined;
    }
  };
  const found = { apiToken: find(SOURCES.apiToken), hostKey: find(SOURCES.hostKey), nodeKey: find(SOURCES.nodeKey) };
  problems.push(
    ...keyProblems("hostPrivateKey", found.hostKey),
    ...keyProblems("nodePrivateKey", found.nodeKey, authorizedKeys),
  );
  // Nothing is dialled in a preview.
  const agent = pulumi.runtime.isDryRun() ? undefined : agentProblem();
  if (agent !== undefined) problems.push(`${agent.seen}; ${agent.remedy}`);
  if (problems.length > 0 || (missing.length > 0 && !pulumi.runtime.isDryRun())) {
    throw new pulumi.RunError(["These credentials are missing or unusable:", ...missing, ...problems].join("\n  - "));
  }
  if (missing.length > 0) {
    void pulumi.log.warn(
      [
        "This preview runs without credentials and shows placeholders in their stead. `pulumi up` will need:",
        ...missing,
      ].join("\n  - "),
    );
  }
  return {
    apiToken: pulumi.secret(found.apiToken ?? SOURCES.apiToken.placeholder),
    hostKey: pulumi.secret(found.hostKey ?? SOURCES.hostKey.placeholder),
    nodeKey: pulumi.secret(found.nodeKey ?? SOURCES.nodeKey.placeholder),
    placeholder: missing.length > 0,
  };
}
