import { z } from "zod";

import type { RegistriesPlan } from "../plan/model";
import { registryCas, registriesYaml, type RegistryLogin } from "../plan/render/registries";
import { certificatesIn } from "./certificates";
import type { CredentialProblem } from "./problem";
import { readSource, SourceError, type StackConfig } from "./read";
import { type CredentialSource, hint, REGISTRY_AUTH } from "./sources";

export interface FoundRegistries {
  /** K3s' `registries.yaml` with the logins; a secret. Missing or unusable logins are replaced by placeholders. */
  readonly yaml: string;
  /** The CAs of registries in the form that the script reads; not a secret. */
  readonly cas: string;
  readonly missing: readonly CredentialSource[];
  readonly problems: readonly CredentialProblem[];
}

/**
 * The files that nodes get for the registries of the config: the file for K3s, with the logins from the secret `registryAuth`,
 * and the CAs. No message shows a character of the secret.
 */
export function readRegistries(config: StackConfig, registries: RegistriesPlan): FoundRegistries {
  const logins = readLogins(config, registries);
  const cas = readCas(registries);
  return {
    yaml: registriesYaml(registries, { ...placeholders(registries), ...logins.found }),
    cas: registryCas(cas.found),
    missing: logins.missing,
    problems: [...logins.problems, ...cas.problems],
  };
}

/** The registries that nodes log in to. */
const withAuth = ({ configs }: RegistriesPlan): string[] =>
  Object.keys(configs)
    .filter((registry) => configs[registry]!.auth)
    .sort();

const placeholders = (registries: RegistriesPlan): Record<string, RegistryLogin> =>
  Object.fromEntries(
    withAuth(registries).map((registry) => [
      registry,
      { username: REGISTRY_AUTH.placeholder, password: REGISTRY_AUTH.placeholder },
    ]),
  );

interface Logins {
  readonly found: Readonly<Record<string, RegistryLogin>>;
  readonly missing: readonly CredentialSource[];
  readonly problems: readonly CredentialProblem[];
}

const NO_LOGINS: Logins = { found: {}, missing: [], problems: [] };

function readLogins(config: StackConfig, registries: RegistriesPlan): Logins {
  const wanted = withAuth(registries);
  if (wanted.length === 0) return NO_LOGINS;
  const unusable = (problem: string): Logins => ({
    ...NO_LOGINS,
    problems: [{ problem: `${REGISTRY_AUTH.configKey}: ${problem}`, remedy: hint(REGISTRY_AUTH) }],
  });
  try {
    const text = readSource(config, REGISTRY_AUTH);
    if (text === undefined) return { ...NO_LOGINS, missing: [REGISTRY_AUTH] };
    const there = loginsIn(text);
    if (there === undefined) return unusable('is not a JSON object with "auths", as Docker and skopeo write it');
    const lacking = wanted.filter((registry) => !Object.hasOwn(there.logins, registry));
    if (lacking.length === 0) return { ...NO_LOGINS, found: pick(there.logins, wanted) };
    const elsewhere = there.inStore ? "; its passwords are in a credential store of that machine" : "";
    const others = there.named.filter((registry) => !wanted.includes(registry)).sort();
    const instead = others.length === 0 ? "" : `; it has ${others.join(", ")}`;
    return unusable(`has no user and password for ${lacking.join(", ")}${elsewhere || instead}`);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return { ...NO_LOGINS, problems: [error.found] };
  }
}

const pick = (logins: Logins["found"], names: readonly string[]): Logins["found"] =>
  Object.fromEntries(names.map((name) => [name, logins[name]!]));

/** Docker's `config.json`, as `docker login`, `podman login` and `skopeo login --authfile` write it. */
const authFile = z.looseObject({
  auths: z.record(
    z.string(),
    z.looseObject({
      auth: z.string().optional(),
      username: z.string().optional(),
      password: z.string().optional(),
      identitytoken: z.string().optional(),
    }),
  ),
  credsStore: z.string().optional(),
});

function loginsIn(
  text: string,
): { readonly logins: Logins["found"]; readonly named: readonly string[]; readonly inStore: boolean } | undefined {
  const { data } = authFile.safeParse(parsed(text));
  if (data === undefined) return undefined;
  const logins = Object.entries(data.auths).flatMap(([registry, entry]) => {
    const login = loginOf(entry);
    return login === undefined ? [] : [[hostOf(registry), login] as const];
  });
  return {
    logins: Object.fromEntries(logins),
    named: Object.keys(data.auths).map(hostOf),
    inStore: data.credsStore !== undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message repeats a part of the text.
    return undefined;
  }
}

function loginOf({
  auth,
  username,
  password,
  identitytoken,
}: z.infer<typeof authFile>["auths"][string]): RegistryLogin | undefined {
  if (identitytoken) return { identityToken: identitytoken };
  if (username && password) return { username, password };
  const [, user, secret] = /^([^:]+):(.+)$/s.exec(Buffer.from(auth ?? "", "base64").toString("utf8")) ?? [];
  return user && secret ? { username: user, password: secret } : undefined;
}

/** Docker's names for Docker Hub; K3s calls it docker.io. */
const HUB = new Set(["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"]);

/** For some registries, Docker and others write a URL with a path. */
function hostOf(registry: string): string {
  const host = registry.replace(/^https?:\/\//, "").replace(/\/.*$/s, "");
  return HUB.has(host) ? "docker.io" : host;
}

function readCas({ configs }: RegistriesPlan): {
  readonly found: Readonly<Record<string, readonly string[]>>;
  readonly problems: readonly CredentialProblem[];
} {
  const found: Record<string, readonly string[]> = {};
  const problems: CredentialProblem[] = [];
  for (const [registry, { caFile }] of Object.entries(configs)) {
    if (caFile === undefined) continue;
    try {
      found[registry] = certificatesIn(caFile, `k3s.registries.configs.${registry}.tls.caFile`);
    } catch (error) {
      problems.push({
        problem: (error as Error).message,
        remedy: `put the certificate of the CA of ${registry} there, in the program's folder`,
      });
    }
  }
  return { found, problems };
}
