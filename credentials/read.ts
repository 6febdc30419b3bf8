import { tokenProblem } from "./apiToken";
import type { CredentialProblem } from "./problem";
import { checkKeys } from "./privateKeys";
import { type CredentialSource, fromEnvironment, hint, SOURCES } from "./sources";

export type CredentialName = keyof typeof SOURCES;

/** The stack's own config, decrypted. */
export interface StackConfig {
  get(key: string): string | undefined;
  /** True if the value is encrypted in the stack's file. */
  isSecret(key: string): boolean;
}

export interface FoundCredentials {
  /** The usable credentials. */
  readonly values: Readonly<Partial<Record<CredentialName, string>>>;
  readonly missing: readonly CredentialSource[];
  readonly problems: readonly CredentialProblem[];
}

/**
 * The text of a credential, from the stack's secret config, else from the environment; undefined if neither has it.
 * @throws SourceError if the credential exists, but must not be used
 */
export function readSource(config: StackConfig, source: CredentialSource): string | undefined {
  const configured = config.get(source.configKey);
  if (configured !== undefined && !config.isSecret(source.configKey))
    throw new SourceError({
      problem: `${source.configKey}: is in plain text in the stack's config`,
      remedy: `create a new one, because others could read this one, then pulumi config set --secret ${source.configKey}`,
    });
  try {
    return configured ?? fromEnvironment(source);
  } catch (error) {
    throw new SourceError({ problem: `${source.env}: ${(error as Error).message}`, remedy: hint(source) });
  }
}

/** A credential that exists, but must not be used. */
export class SourceError extends Error {
  constructor(readonly found: CredentialProblem) {
    super(found.problem);
  }
}

/**
 * Reads the three credentials from the stack's secret config, else from the environment, and checks them as far as this is
 * possible without a connection.
 * @param authorizedKeys the public keys that nodes accept; one must belong to the nodes' private key
 */
export function readCredentials(config: StackConfig, authorizedKeys: readonly string[]): FoundCredentials {
  const found: Partial<Record<CredentialName, string>> = {};
  const missing: CredentialSource[] = [];
  const problems: CredentialProblem[] = [];
  for (const [name, source] of Object.entries(SOURCES) as [CredentialName, CredentialSource][]) {
    try {
      const value = readSource(config, source);
      if (value === undefined) missing.push(source);
      else found[name] = value;
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      problems.push(error.found);
    }
  }
  if (found.apiToken !== undefined) {
    // A token from a file or a pipe ends with a line break.
    found.apiToken = found.apiToken.trim();
    const problem = tokenProblem(found.apiToken);
    if (problem !== undefined)
      problems.push({ problem: `proxmoxApiToken: ${problem}`, remedy: hint(SOURCES.apiToken) });
    if (problem !== undefined) delete found.apiToken;
  }
  const keys = checkKeys(found, authorizedKeys);
  problems.push(...keys.problems);
  for (const name of keys.unusable) delete found[name];
  return { values: found, missing, problems };
}
