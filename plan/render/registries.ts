import { stringify } from "yaml";

import type { MirrorPlan, RegistriesPlan, RegistryConfigPlan } from "../model";

/** The login of a node at a registry. */
export type RegistryLogin =
  { readonly username: string; readonly password: string } | { readonly identityToken: string };

/** The folder on a node for the CAs of the registries; `scripts/node/registries.sh` writes them. */
const CAS = "/etc/rancher/k3s/registries";

/**
 * Agents learn the setting from a server when they start. With this line, a new setting changes the file, so the agents restart.
 */
const SHARED = "# The nodes give each other these images (embedded-registry of the servers).\n";

/** Written instead of a login, for people and for the state. */
const SECRET = "a secret";

/**
 * K3s' `/etc/rancher/k3s/registries.yaml`, with K3s' names. Keys are sorted: equal plans give equal text.
 * @param logins by registry. Without them the text has no secret. It then only shows for which registries there is a login, and
 * no node gets it.
 */
export function registriesYaml(
  { mirrors, configs, embedded }: RegistriesPlan,
  logins?: Readonly<Record<string, RegistryLogin>>,
): string {
  const file = {
    mirrors: mapped(mirrors, mirrorOf),
    configs: mapped(configs, (config, registry) => configOf(config, registry, logins)),
  };
  return `${embedded ? SHARED : ""}${stringify(file, { sortMapEntries: true, lineWidth: 0 }).trimEnd()}`;
}

function mirrorOf({ endpoints, rewrites }: MirrorPlan): object {
  return {
    ...(endpoints.length === 0 ? {} : { endpoint: endpoints }),
    ...(Object.keys(rewrites).length === 0 ? {} : { rewrite: rewrites }),
  };
}

function configOf(
  { auth, caFile, insecureSkipVerify }: RegistryConfigPlan,
  registry: string,
  logins: Readonly<Record<string, RegistryLogin>> | undefined,
): object {
  const tls = {
    ...(caFile === undefined ? {} : { ca_file: `${CAS}/${registry}.pem` }),
    ...(insecureSkipVerify ? { insecure_skip_verify: true } : {}),
  };
  return {
    ...(auth ? { auth: logins === undefined ? SECRET : authOf(logins[registry], registry) } : {}),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  };
}

function authOf(login: RegistryLogin | undefined, registry: string): object {
  if (login === undefined) throw new Error(`there is no login for ${registry}`);
  return "identityToken" in login ? { identity_token: login.identityToken } : login;
}

/**
 * The CAs of the registries in the form that the script reads: each after a line `# REGISTRY`.
 * @param cas PEM blocks by registry
 */
export const registryCas = (cas: Readonly<Record<string, readonly string[]>>): string =>
  Object.keys(cas)
    .sort()
    .flatMap((registry) => [`# ${registry}`, ...cas[registry]!])
    .join("\n");

function mapped<T>(
  map: Readonly<Record<string, T>>,
  of: (value: T, key: string) => object,
): Readonly<Record<string, object>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, of(value, key)]));
}
