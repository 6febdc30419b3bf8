import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { program } from "../../../cli/program";
import manifest from "../../../package.json";

/* Commands in errors, hints, comments and pages exist. */

const repo = path.join(__dirname, "../../..");
const commands = program.commands.map((command) => command.name());

test.each([program, ...program.commands].map((command) => [command.name(), command] as const))(
  "the help of %s has an example that can be typed",
  (name, command) => {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    const example = name === "proxmox-k3s" ? "npx proxmox-k3s" : `npx proxmox-k3s ${name}`;
    expect(help).toContain(`\nExample:\n  ${example}`);
  },
);

test("the commands work from a checkout, as npx and npm start them", () => {
  const start = (program: string, ...args: string[]) => spawnSync(program, args, { cwd: repo, encoding: "utf8" });
  const expected = [0, expect.stringMatching(/^Usage: proxmox-k3s gate/), ""];
  const bin = start(process.execPath, manifest.bin["proxmox-k3s"], "gate", "--help");
  expect([bin.status, bin.stdout, bin.stderr]).toEqual(expected);
  const npm = start("npm", "run", "--silent", "proxmox-k3s", "--", "gate", "--help");
  expect([npm.status, npm.stdout, npm.stderr]).toEqual(expected);
});

test("no command colours its output, so it needs no NO_COLOR and suits a log", () => {
  const sources = execFileSync("git", ["ls-files", "cli", "remote", "plan", "scripts"], {
    cwd: repo,
    encoding: "utf8",
  });
  const coloured = sources
    .trim()
    .split("\n")
    .filter((file) => fs.existsSync(path.join(repo, file)))
    .filter((file) => /\\(x1b|u001b|033)\[[\d;]*m|styleText/i.test(fs.readFileSync(path.join(repo, file), "utf8")));
  expect(coloured).toEqual([]);
});

describe("every command in a text exists", () => {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: repo, encoding: "utf8" })
    .trim()
    .split("\n")
    .filter((file) => /\.(ts|cjs|mjs|js|sh|md|ya?ml)$/.test(file) && fs.existsSync(path.join(repo, file)))
    // It names wrong ones on purpose.
    .filter((file) => file !== "tests/unit/docs/pageCommands.test.ts");
  const named = (pattern: RegExp): [command: string, file: string][] =>
    files.flatMap((file) =>
      [...fs.readFileSync(path.join(repo, file), "utf8").matchAll(pattern)].map(([, name = ""]): [string, string] => [
        name,
        file,
      ]),
    );

  test("npm run …", () => {
    const found = named(/\bnpm run (?:-s )?([a-z][a-z0-9:-]*)/g);
    expect(found.length).toBeGreaterThan(20);
    expect(found.filter(([name]) => !(name in manifest.scripts))).toEqual([]);
  });

  test("proxmox-k3s …", () => {
    const found = named(/\b(?:npx|npm run (?:-s )?) ?(?:proxmox-k3s|cluster) (?:-- )?([a-z]+)/g);
    expect(found.filter(([name]) => !commands.includes(name))).toEqual([]);
    expect(found.map(([name]) => name)).toContain("recover");
  });

  test("in one form: only the README has npm's short forms", () => {
    const found = named(/\bnpm run (?:-s )?(cluster|doctor|pin|host-gate|proxmox-k3s)\b/g);
    expect([...new Set(found.map(([, file]) => file))]).toEqual(["README.md"]);
  });
});
