import * as sshpk from "sshpk";

/**
 * What is wrong with a private key; nothing for an absent one. The command provider reports an unusable key only after all
 * its dials, so it is read here first. The key is never shown.
 * @param authorizedKeys public keys one of which must be its own
 */
export function keyProblems(name: string, key: string | undefined, authorizedKeys?: readonly string[]): string[] {
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
