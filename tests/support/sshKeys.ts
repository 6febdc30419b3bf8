import { utils } from "ssh2";

/** A key pair, ed25519, OpenSSH form, the public half without a comment. */
export interface KeyPair {
  readonly private: string;
  readonly public: string;
}

/** Length of an ed25519 public key on the wire: the name and 32 bytes, each behind its length. */
const WIRE_LENGTH = 4 + "ssh-ed25519".length + 4 + 32;

/** A new key pair. ssh2 drops a leading zero byte of the public half, one time in 256: such a pair is no key. */
export function newKeyPair(): KeyPair {
  for (;;) {
    const pair = utils.generateKeyPairSync("ed25519");
    const blob = Buffer.from(pair.public.split(" ")[1] ?? "", "base64");
    if (blob.length === WIRE_LENGTH) return { private: pair.private, public: pair.public.trim() };
  }
}
