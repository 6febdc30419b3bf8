import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";

import { leaksIn, privateKey, secretsIn } from "../../support/secretScan";
import { newKeyPair } from "../../support/sshKeys";

const token = randomBytes(36).toString("base64");
const uuid = randomUUID();
const pair = newKeyPair();
const pem = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
  type: "sec1",
  format: "pem",
}) as string;
const SECRETS = [
  { name: "token", value: token },
  { name: "uuid", value: uuid },
  privateKey("key", pair.private),
  privateKey("kubeconfig", pem),
];
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const url = (text: string): string => base64(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

it.each<[string, string, string]>([
  ["as it is", `{"token":"${token}"}`, "token"],
  ["a run of 12 characters", `…${token.slice(20, 32)}…`, "token"],
  ["all except the last character", `user!name ${uuid.slice(0, -1)} is refused`, "uuid"],
  ["for a URL", `?a=${encodeURIComponent(token)}`, "token"],
  ["for JSON", JSON.stringify({ a: JSON.stringify(token) }).replaceAll("/", "\\/"), "token"],
  ["in hex", Buffer.from(token).toString("hex"), "token"],
  ["in upper-case hex", Buffer.from(token).toString("hex").toUpperCase(), "token"],
  ["in base64", base64(token), "token"],
  ["in base64, one byte after the start", base64(`x${token}y`), "token"],
  ["in base64, two bytes after the start", base64(`xx${token}yy`), "token"],
  ["in base64 for URLs", url(`Authorization: ${token}`), "token"],
  ["in base64 of base64", base64(base64(`a ${token}`)), "token"],
  ["a private key", pair.private, "key"],
  ["a private key on one line", JSON.stringify(pair.private), "key"],
  ["a private key in base64", base64(pair.private), "key"],
  ["one line of a private key", pair.private.split("\n")[4]!, "key"],
  ["a key as in a kubeconfig", base64(pem), "kubeconfig"],
])("finds a planted secret: %s", (_, text, name) => {
  expect(secretsIn(`a line\n${text}\nanother`, SECRETS)).toEqual([name]);
});

it("says where the secret is, and shows nothing of it", () => {
  const [leak] = leaksIn(`one\ntwo: ${token}`, SECRETS);
  expect(leak).toEqual({ secrets: ["token"], line: 2, head: "two: " });
});

it("finds nothing in public data", () => {
  const others = newKeyPair();
  const text = [pair.public, others.private, others.public, base64(pair.public), randomUUID(), uuid.slice(0, 11)];
  expect(secretsIn(text.join("\n"), SECRETS)).toEqual([]);
});
