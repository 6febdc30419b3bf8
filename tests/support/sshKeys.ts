import { utils } from "ssh2";

/** An ed25519 key pair in OpenSSH form; the public key has no comment. */
export interface KeyPair {
  readonly private: string;
  readonly public: string;
}

/** Length of an ed25519 public key on the wire: the name and 32 bytes, each after a length of 4 bytes. */
const WIRE_LENGTH = 4 + "ssh-ed25519".length + 4 + 32;

/** A new key pair. In one of 256 pairs ssh2 drops a leading zero byte of the public key; such an invalid pair is not used. */
export function newKeyPair(): KeyPair {
  for (;;) {
    const pair = utils.generateKeyPairSync("ed25519");
    const blob = Buffer.from(pair.public.split(" ")[1] ?? "", "base64");
    if (blob.length === WIRE_LENGTH) return { private: pair.private, public: pair.public.trim() };
  }
}
