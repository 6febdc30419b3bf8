import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { GitServer, type GitWorkTree } from "../../../lab/git/gitServer";
import { finish } from "../../support/lab";

/* The Git server of the tests, with this machine's git. */

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "git-client-"));
const TOKEN = "a-token-of-the-test";
let server: GitServer;
let open: GitWorkTree;
let closed: GitWorkTree;

beforeAll(async () => {
  server = await GitServer.start("127.0.0.1");
  fs.writeFileSync(path.join(folder, "ca.pem"), server.ca);
  [open, closed] = [await server.repository("open"), await server.repository("closed", TOKEN)];
  for (const repository of [open, closed]) await repository.push({ "a/one.yaml": "1\n", "two.yaml": "2\n" });
});
afterAll(async () => {
  await server.stop();
  fs.rmSync(folder, { recursive: true });
});

let clones = 0;
/** @param trusts whether the client trusts the server's CA */
async function clone(url: string, trusts = true) {
  const target = path.join(folder, `clone-${++clones}`);
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_TERMINAL_PROMPT: "0" };
  const ca = trusts ? { GIT_SSL_CAINFO: path.join(folder, "ca.pem") } : {};
  const { code, stderr } = await finish("git", ["clone", "--quiet", "--depth=1", url, target], { ...env, ...ca });
  const files = fs.existsSync(target) ? fs.readdirSync(target).filter((name) => name !== ".git") : [];
  return { code, stderr, files };
}
const withToken = (url: string, token: string): string => url.replace("https://", `https://anybody:${token}@`);

test("every client that trusts the CA can read a public repository, and no other client", async () => {
  expect((await clone(open.url)).files).toEqual(["a", "two.yaml"]);
  expect((await clone(open.url, false)).stderr).toContain("certificate");
});

test("a removed repository cannot be read any more", async () => {
  const commit = await open.push({ a: undefined });
  expect(commit).toMatch(/^[0-9a-f]{40}$/);
  expect((await clone(open.url)).files).toEqual(["two.yaml"]);
});

test("a private repository needs its token", async () => {
  const refused = server.refused;
  for (const url of [closed.url, withToken(closed.url, "wrong")]) expect((await clone(url)).code).not.toBe(0);
  expect(server.refused).toBeGreaterThan(refused);
  expect((await clone(withToken(closed.url, TOKEN))).files).toEqual(["a", "two.yaml"]);
});

test("nothing else is served", async () => {
  expect((await clone(open.url.replace("open", "other"))).stderr).toContain("not found");
  expect((await clone(open.url.replace("open.git", "open.work/.git"))).stderr).toContain("not found");
});
