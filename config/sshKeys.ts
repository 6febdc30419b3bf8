import sshpk from "sshpk";
import { z } from "zod";

/** Host key types that the SSH client of the command provider supports. RSA fails with "no common algorithm for host key". */
export const MODERN = "^(?:ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521))";

const BODY = " [A-Za-z0-9+/]+=*(?: [^\\n]*)?$";
/** The form of a key line. `publicKeyType` checks the content. */
const LINE = new RegExp(`^[a-z0-9@.-]+${BODY}`);

/** A valid example of a key. Nobody has its private key. */
export const EXAMPLE_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/** The type of an OpenSSH public key line (`ssh-ed25519 AAAA… comment`); `undefined` if it is not one. */
export function publicKeyType(line: unknown): string | undefined {
  if (typeof line !== "string" || !LINE.test(line)) return undefined;
  try {
    sshpk.parseKey(line, "ssh");
    return line.split(" ")[0];
  } catch {
    return undefined;
  }
}

export const isModernKey = (line: unknown): boolean => new RegExp(`${MODERN}$`).test(publicKeyType(line) ?? "");

/** One line of an `authorized_keys` file, without options. */
export const publicKey = z
  .string()
  .regex(LINE)
  .refine((line) => publicKeyType(line) !== undefined)
  .meta({
    must: "an OpenSSH public key on one line, without options",
    hint: "the content of a .pub file, for example of ~/.ssh/id_ed25519.pub; never the private key",
    example: EXAMPLE_KEY,
    hidden: true,
  });

/** The public host key of the Proxmox host. */
export const hostKey = z
  .string()
  .regex(new RegExp(MODERN + BODY))
  .refine(isModernKey)
  .meta({
    must: "the Proxmox host's ed25519 or ECDSA public key",
    hint:
      "the content of /etc/ssh/ssh_host_ed25519_key.pub on the host, without the host name; an RSA key fails with " +
      '"no common algorithm for host key"',
    example: EXAMPLE_KEY,
    hidden: true,
  });
