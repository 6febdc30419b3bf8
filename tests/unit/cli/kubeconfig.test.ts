import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";

import { mergeInto } from "../../../cli/kubeconfig";

/* `kubeconfig --merge`: a person's file, which has other clusters and comments. */

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "kubeconfig-"));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const certificate = fs.readFileSync(path.join(__dirname, "../../fixtures/certificate.pem")).toString("base64");

const kubeconfig = (name: string, server: string, ca = "Q0E=", token = certificate): string =>
  [
    "apiVersion: v1",
    "kind: Config",
    "clusters:",
    `- name: ${name}`,
    "  # mine",
    `  cluster: { server: "${server}", certificate-authority-data: ${ca} }`,
    "contexts:",
    `- name: ${name}`,
    `  context: { cluster: ${name}, user: ${name} }`,
    `current-context: ${name}`,
    "users:",
    `- name: ${name}`,
    `  user: { client-certificate-data: ${token} }`,
    "",
  ].join("\n");
const fresh = kubeconfig("k3s", "https://192.168.2.20:6443");

function merged(former: string | undefined, text = fresh): { text: string; mode: number } {
  const file = path.join(folder, "sub", "config");
  fs.rmSync(file, { force: true });
  if (former !== undefined) fs.mkdirSync(path.dirname(file), { recursive: true });
  if (former !== undefined) fs.writeFileSync(file, former);
  expect(mergeInto(file, text)).toEqual({ file, context: "k3s", ends: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) });
  return { text: fs.readFileSync(file, "utf8"), mode: fs.statSync(file).mode & 0o777 };
}

it("creates the file, readable only for this person, with the context selected", () => {
  const { text, mode } = merged(undefined);
  expect(mode).toBe(0o600);
  expect(parse(text)).toEqual(parse(fresh));
});

it("keeps other clusters, their comments and the selected context", () => {
  const { text, mode } = merged(kubeconfig("work", "https://10.0.0.1:6443"));
  expect([mode, text.includes("# mine")]).toEqual([0o600, true]);
  const { clusters, users, contexts, "current-context": current } = parse(text);
  const names = (list: { name: string }[]): string[] => list.map(({ name }) => name);
  expect([names(clusters), names(users), names(contexts), current]).toEqual([
    ...Array(3).fill(["work", "k3s"]),
    "work",
  ]);
});

it("replaces the former entry of the same cluster: by its address, or by its CA", () => {
  const once = merged(kubeconfig("k3s", "https://192.168.2.20:6443", "T0xE", "b2xk")).text;
  const twice = merged(kubeconfig("k3s", "https://192.168.2.99:6443", "Q0E=", "b2xk")).text;
  expect([parse(once), parse(twice)]).toEqual([parse(fresh), parse(fresh)]);
});

it.each([
  [
    "another cluster with the name",
    kubeconfig("k3s", "https://10.0.0.9:6443", "T0xE"),
    /its cluster k3s is another one, at https:\/\/10\.0\.0\.9/,
  ],
  ["no kubeconfig", "[1, 2]\n", /it is not a kubeconfig/],
  ["no YAML", "a: [\n", /it is not a kubeconfig/],
])("does not touch %s, and says what to do", (_, former, message) => {
  expect(() => merged(former)).toThrow(message);
  expect(() => merged(former)).toThrow(/\nnext: {2}name another file: KUBECONFIG=/);
  expect(fs.readFileSync(path.join(folder, "sub/config"), "utf8")).toBe(former);
});
