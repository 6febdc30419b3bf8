import * as pulumi from "@pulumi/pulumi";

import type { Problem } from "../plan/load";
import type { SecretName } from "../plan/secrets";
import type { Secrets } from "./secretObjects";

/** What each secret is, and its form, so that a wrong value is found before it reaches the cluster. */
const FORMS: Readonly<Record<SecretName, { readonly what: string; readonly form: RegExp; readonly command: string }>> =
  {
    sopsAgeKey: {
      what: "an age identity (a line AGE-SECRET-KEY-1…)",
      form: /^AGE-SECRET-KEY-1[0-9A-Z]+\s*$/m,
      command: "pulumi config set --secret sopsAgeKey < age.agekey",
    },
    gitToken: {
      what: "a token of the Git server, in one line",
      form: /^\S+$/,
      command: "pulumi config set --secret gitToken",
    },
    gitIdentity: {
      what: "a private SSH key in OpenSSH or PEM form",
      form: /^-----BEGIN [A-Z ]*PRIVATE KEY-----\n[^]*-----END [A-Z ]*PRIVATE KEY-----\s*$/,
      command: "pulumi config set --secret gitIdentity < id_ed25519",
    },
    grafanaPassword: {
      what: "a password of at least 12 characters, in one line",
      form: /^\S.{10,}\S$/,
      command: "pulumi config set --secret grafanaPassword",
    },
    tailscaleAuthKey: {
      what: "an auth key of the tailnet, in one line",
      form: /^[\w-]{16,}$/,
      command: "pulumi config set --secret tailscaleAuthKey",
    },
  };

export interface SecretConfig {
  readonly secrets: Secrets;
  /**
   * The problems of the secret config, without any value.
   * @param required names that must be set
   */
  readonly problemsOf: (required: readonly SecretName[]) => readonly Problem[];
}

/** Reads the secret config. */
export function readSecrets(): SecretConfig {
  const config = new pulumi.Config();
  // The SDK has this function, but its types do not.
  const { isConfigSecret } = pulumi.runtime as unknown as { isConfigSecret: (key: string) => boolean };
  const problemOf = (name: SecretName, isRequired: boolean): string | undefined => {
    const { what, form } = FORMS[name];
    const value = config.get(name);
    if (value === undefined) return isRequired ? `is missing: it must be ${what}` : undefined;
    if (!isConfigSecret(`${config.name}:${name}`)) return "is in plain text in the stack file";
    return form.test(value) ? undefined : `must be ${what}`;
  };
  const names = Object.keys(FORMS) as SecretName[];
  const set = names.flatMap((name) => {
    const value = config.get(name);
    return value === undefined ? [] : [[name, pulumi.secret(value)] as const];
  });
  return {
    secrets: Object.fromEntries(set),
    problemsOf: (required) =>
      names.flatMap((name) => {
        const problem = problemOf(name, required.includes(name));
        const hint = `\`${FORMS[name].command}\``;
        return problem === undefined ? [] : [{ path: `${config.name}:${name}`, problem, hint }];
      }),
  };
}
