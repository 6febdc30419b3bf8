import { stringify } from "yaml";

import type { MirrorPlan, RegistriesPlan, RegistryConfigPlan } from "../model";

/** What a node logs in to a registry with. */
export type RegistryLogin =
  { readonly username: string; readonly password: string } | { readonly identityToken: string };

/** Where a node has the copies of the registries' CAs; `scripts/node/registries.sh` writes them. */
const CAS = "/etc/rancher/k3s/registries";

/** Agents learn it from a server when they start: with this line another answer is another file, so they restart. */
const SHARED = "# The nodes give each other these images (embedded-registry of the servers).\n";

/** In the place of a login, for people and for the state. */
const SECRET = "a secret";

/**
 * K3s' `/etc/rancher/k3s/registries.yaml`, with K3s' names. Keys are sorted: equal plans give equal text.
 * @param logins by registry. Without them the text has no secret: it only says where a login is, and no node gets it.
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
 * The CAs of the registries, in the form in which the script takes them: each after a line `# REGISTRY`.
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
