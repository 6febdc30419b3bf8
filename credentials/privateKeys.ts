import * as sshpk from "sshpk";

import { publicKeyType } from "../config/sshKeys";
import type { CredentialProblem } from "./problem";
import { type CredentialSource, hint, SOURCES } from "./sources";

type KeyName = "hostKey" | "nodeKey";

/**
 * What is wrong with the two private keys; nothing for absent ones. The command provider reports an unusable key only after
 * all its dials, so they are read here first. No character of a private key is shown.
 * @param authorizedKeys the nodes' public keys, one of which must be `nodeKey`'s own
 */
export function checkKeys(
  keys: Readonly<Partial<Record<KeyName, string>>>,
  authorizedKeys: readonly string[],
): { readonly problems: readonly CredentialProblem[]; readonly unusable: readonly KeyName[] } {
  const problems: CredentialProblem[] = [];
  const unusable: KeyName[] = [];
  const publicHalf = (name: KeyName): sshpk.Key | undefined => {
    const key = keys[name];
    if (key === undefined) return undefined;
    try {
      return sshpk.parsePrivateKey(key, "auto").toPublic();
    } catch (error) {
      problems.push(notReadable(SOURCES[name], key, error as Error));
      unusable.push(name);
      return undefined;
    }
  };
  const [host, node] = [publicHalf("hostKey"), publicHalf("nodeKey")];
  const isAccepted = (key: sshpk.Key): boolean =>
    authorizedKeys.some((line) => sshpk.parseKey(line, "ssh").fingerprint("sha256").matches(key));
  if (node && !isAccepted(node)) {
    const areSwapped = host !== undefined && isAccepted(host);
    problems.push(areSwapped ? SWAPPED : notAuthorized(node));
    unusable.push("nodeKey", ...(areSwapped ? (["hostKey"] as const) : []));
  }
  return { problems, unusable };
}

function notReadable(source: CredentialSource, key: string, { name }: Error): CredentialProblem {
  return { problem: `${source.configKey}: ${whatItIs(key.trim(), name)}`, remedy: hint(source) };
}

function whatItIs(text: string, error: string): string {
  if (error === "KeyEncryptedError")
    return "the key is protected by a passphrase; the SSH client here needs one without";
  if (publicKeyType(text) !== undefined) return "this is the public half of a key; the private half is needed";
  if (/^[~./][^\n]*$/.test(text)) return "this is a path; the content of the file is needed";
  return "not an SSH private key";
}

const SWAPPED: CredentialProblem = {
  problem:
    "hostPrivateKey and nodePrivateKey are swapped: the public half of hostPrivateKey is among ssh.authorizedKeys, that of nodePrivateKey is not",
  remedy: "set each of them to the other key",
};

function notAuthorized(node: sshpk.Key): CredentialProblem {
  const [type, key] = node.toString("ssh").split(" ");
  return {
    problem: "nodePrivateKey: its public key is not among ssh.authorizedKeys, so no node would accept it",
    remedy: `add to cluster.ssh.authorizedKeys: "${type} ${key}"; or set nodePrivateKey to a key that is there`,
  };
}
