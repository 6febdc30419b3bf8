import * as fs from "node:fs";

import { isHidden } from "../config/secretForms";

/** Where a credential comes from: the stack's secret config, else the environment. */
export interface CredentialSource {
  readonly configKey: string;
  readonly env: string;
  /** The environment variable has the path of a file with the value. */
  readonly envIsFile: boolean;
  readonly what: string;
  readonly placeholder: string;
}

export const SOURCES = {
  apiToken: {
    configKey: "proxmoxApiToken",
    env: "PROXMOX_VE_API_TOKEN",
    envIsFile: false,
    what: "Proxmox API token (user@realm!name=uuid)",
    placeholder: "preview@pve!placeholder=00000000-0000-0000-0000-000000000000",
  },
  hostKey: {
    configKey: "hostPrivateKey",
    env: "PROXMOX_K3S_HOST_SSH_KEY_FILE",
    envIsFile: true,
    what: "SSH private key for root on the Proxmox host",
    placeholder: "placeholder: this preview was made without a key for the Proxmox host",
  },
  nodeKey: {
    configKey: "nodePrivateKey",
    env: "PROXMOX_K3S_NODE_SSH_KEY_FILE",
    envIsFile: true,
    what: "SSH private key for root on the nodes",
    placeholder: "placeholder: this preview was made without a key for the nodes",
  },
} as const satisfies Record<string, CredentialSource>;

/** Only for a config with a registry that nodes log in to. */
export const REGISTRY_AUTH: CredentialSource = {
  configKey: "registryAuth",
  env: "PROXMOX_K3S_REGISTRY_AUTH_FILE",
  envIsFile: true,
  what: "users and passwords of the registries in k3s.registries, in the form of Docker's config.json (docs/registries.md)",
  placeholder: "placeholder",
};

/**
 * @returns undefined if the variable is not set
 * @throws Error if its file cannot be read; it does not show a value that may be a credential
 */
export function fromEnvironment(source: CredentialSource): string | undefined {
  const value = process.env[source.env];
  if (!value) return undefined;
  if (!source.envIsFile) return value;
  if (isHidden(value) || value.includes("\n"))
    throw new Error("must be the path of the file with the key, but is a credential itself");
  try {
    return fs.readFileSync(value, "utf8");
  } catch (error) {
    throw new Error(`names ${value}, which cannot be read: ${(error as NodeJS.ErrnoException).code}`, { cause: error });
  }
}

/** How to set it. */
export function hint({ what, configKey, env, envIsFile }: CredentialSource): string {
  return `${what}: pulumi config set --secret ${configKey}${envIsFile ? " < FILE" : ""}, or ${env}${envIsFile ? "=FILE" : ""}`;
}
