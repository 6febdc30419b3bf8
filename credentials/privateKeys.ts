import * as sshpk from "sshpk";

import { publicKeyType } from "../config/sshKeys";
import type { CredentialProblem } from "./problem";
import { type CredentialSource, hint, SOURCES } from "./sources";

type KeyName = "hostKey" | "nodeKey";

/**
 * What is wrong with the two private keys; missing ones are no problem here. The command provider reports an unusable key
 * only after all its attempts to connect, so the keys are checked first. No character of a private key is shown.
 * @param authorizedKeys the nodes' public keys; one of them must belong to `nodeKey`
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
  if (error === "KeyEncryptedError") return "the key has a passphrase; the program needs a key without one";
  if (publicKeyType(text) !== undefined) return "this is a public key; set the private key";
  if (/^[~./][^\n]*$/.test(text)) return "this is a path; set the content of the file";
  return "not an SSH private key";
}

const SWAPPED: CredentialProblem = {
  problem:
    "hostPrivateKey and nodePrivateKey are swapped: the public key of hostPrivateKey is in ssh.authorizedKeys, that of nodePrivateKey is not",
  remedy: "exchange the two values",
};

function notAuthorized(node: sshpk.Key): CredentialProblem {
  const [type, key] = node.toString("ssh").split(" ");
  return {
    problem: "nodePrivateKey: its public key is not in ssh.authorizedKeys, so no node would accept it",
    remedy: `add to cluster.ssh.authorizedKeys: "${type} ${key}"; or set nodePrivateKey to the private key of one that is there`,
  };
}
