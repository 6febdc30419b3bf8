import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { Command } from "commander";

import { ensureToolchain, toolchainEnv } from "../../lab/toolchain/install";
import { pulumi } from "../../scripts-dev/pulumiCommands";

/* `npm run docs -- --check` uses our own list of Pulumi's commands: each command and option in it must exist in the real Pulumi. */

const leaves = (command: Command, names: string[]): [string, Command][] =>
  command.commands.length === 0
    ? [[names.join(" "), command]]
    : command.commands.flatMap((each) => leaves(each, [...names, each.name()]));

const home = fs.mkdtempSync(path.join(os.tmpdir(), "pulumi-help-"));
let env: Record<string, string>;
beforeAll(async () => {
  env = { ...toolchainEnv(await ensureToolchain((line) => console.error(line)), home), PULUMI_SKIP_UPDATE_CHECK: "1" };
}, 40 * 60_000);
afterAll(() => fs.rmSync(home, { recursive: true }));

test.each(leaves(pulumi, []))("pulumi %s", (name, command) => {
  const help = execFileSync("pulumi", [...name.split(" "), "--help"], { env, encoding: "utf8" });
  const offered = [...help.matchAll(/(?<=^ +(?:-\w, )?)--[a-z-]+|^ +-\w(?=,)/gm)].map(([flag]) => flag.trim());
  const named = command.options.flatMap(({ long, short }) => [long, short]).filter((flag) => flag !== undefined);
  expect(named.filter((flag) => !offered.includes(flag))).toEqual([]);
  // For an unknown command Pulumi prints the help of its parent. An alias has the help of its command.
  const [above] = /^(?:\w+ )*/.exec(name)!;
  expect(help).toMatch(new RegExp(`^Usage:\\n +pulumi ${above}[a-z]`, "m"));
});
