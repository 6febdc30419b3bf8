import * as fs from "node:fs";

/** Where a credential comes from: the stack's secret config first, else the environment. */
export interface CredentialSource {
  readonly configKey: string;
  readonly env: string;
  /** The environment names a file that holds the value. */
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

/** @throws Error where the variable names a file that cannot be read */
export function fromEnvironment(source: CredentialSource): string | undefined {
  const value = process.env[source.env];
  if (!value) return undefined;
  return source.envIsFile ? fs.readFileSync(value, "utf8") : value;
}

/** How to give it. */
export function hint(source: CredentialSource): string {
  return `${source.what}: pulumi config set --secret ${source.configKey} …, or ${source.env}${source.envIsFile ? " (a path)" : ""}`;
}
