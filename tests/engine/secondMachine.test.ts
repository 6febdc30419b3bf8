import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { ensureToolchain, toolchainEnv } from "../../lab/toolchain/install";
import { commandsOf } from "../support/pageCommands";

/* docs/second-machine.md: a stack moves from one backend to another with its secrets. With the real Pulumi; no program runs. */

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "second-machine-"));
const at = (name: string): string => path.join(folder, name);
let env: NodeJS.ProcessEnv;
const sh = (command: string): string =>
  execFileSync("sh", ["-ec", command], { cwd: at("program"), env, encoding: "utf8" });

beforeAll(async () => {
  for (const name of ["program", "home", "old", "new"]) fs.mkdirSync(at(name));
  fs.writeFileSync(at("program/Pulumi.yaml"), "name: test\nruntime: nodejs\n");
  fs.writeFileSync(at("passphrase"), "correct horse\n");
  const toolchain = await ensureToolchain((line) => console.error(line));
  env = { ...toolchainEnv(toolchain, at("home")), HOME: folder, PULUMI_CONFIG_PASSPHRASE_FILE: at("passphrase") };
}, 40 * 60_000);
afterAll(() => fs.rmSync(folder, { recursive: true }));

test("the page's commands move the state; the secrets and the stack file stay as they are", () => {
  const [...moves] = commandsOf("docs/second-machine.md", "## A backend that all can reach");
  expect(moves.pop()).toBe("pulumi preview --expect-no-changes");
  sh(`pulumi login 'file://${at("old")}' && pulumi stack init mine && pulumi config set --secret token s3cret`);
  const before = fs.readFileSync(at("program/Pulumi.mine.yaml"), "utf8");
  for (const move of moves) sh(move.replace("URL-OF-THE-BACKEND", `file://${at("new")}`).replace("NAME", "mine"));
  expect(sh("pulumi whoami --verbose")).toContain(`file://${at("new")}`);
  expect(sh("pulumi stack ls")).toMatch(/^mine\*/m);
  expect(fs.readFileSync(at("program/Pulumi.mine.yaml"), "utf8")).toBe(before);
  expect(sh("pulumi config get token")).toBe("s3cret\n");
});
