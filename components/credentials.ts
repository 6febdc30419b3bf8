import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";
import * as sshpk from "sshpk";

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

interface Source {
  readonly configKey: string;
  readonly env: string;
  /** The environment names a file that holds the value. */
  readonly envIsFile: boolean;
  readonly what: string;
  readonly placeholder: string;
}

const SOURCES = {
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
} as const satisfies Record<string, Source>;

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
  const find = (source: Source): string | undefined => {
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

function fromEnvironment(source: Source): string | undefined {
  const value = process.env[source.env];
  if (!value) return undefined;
  return source.envIsFile ? fs.readFileSync(value, "utf8") : value;
}

function hint(source: Source): string {
  return `${source.what}: pulumi config set --secret ${source.configKey} …, or ${source.env}${source.envIsFile ? " (a path)" : ""}`;
}

/** The plugin reports an unusable key only after all its dials, so it is read here first. The key is never shown. */
function keyProblems(name: string, key: string | undefined, authorizedKeys?: readonly string[]): string[] {
  if (key === undefined) return [];
  let own: sshpk.Key;
  try {
    own = sshpk.parsePrivateKey(key, "auto").toPublic();
  } catch (error) {
    const encrypted = (error as Error).name === "KeyEncryptedError";
    return [
      `${name}: ${encrypted ? "the key is protected by a passphrase; the SSH client here needs one without" : "not an SSH private key"}`,
    ];
  }
  const accepted = authorizedKeys?.some((line) => sshpk.parseKey(line, "ssh").fingerprint("sha256").matches(own));
  return accepted === false
    ? [
        `${name}: its public key is not among ssh.authorizedKeys, so no node would accept it (add: ${own.toString("ssh")})`,
      ]
    : [];
}
