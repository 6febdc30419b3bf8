import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { MACHINE_KINDS } from "../../../plan/machineKinds";

/* Which files may know the kinds of machines, so that another kind needs changes in only a few. */

const repo = path.join(__dirname, "../../..");
const read = (file: string): string => fs.readFileSync(path.join(repo, file), "utf8");
const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: repo, encoding: "utf8" })
  .split("\n")
  .filter((file) => file && fs.existsSync(path.join(repo, file)));
const commands = Object.values(MACHINE_KINDS).map(({ command }) => command);

/** A script's commands: without comments and quoted texts, except the commands that quotes contain. */
function commandsOf(shell: string): string {
  let quote = "";
  let kept = "";
  for (let at = 0; at < shell.length; at++) {
    const char = shell[at]!;
    if (quote === "'") quote = char === "'" ? "" : quote;
    else if (char === "\\") at++;
    else if (char === '"') quote = quote === '"' ? "" : '"';
    else if (quote === '"') kept += shell.startsWith("$(", at) ? (/^\$\([^")]*/.exec(shell.slice(at))?.[0] ?? "") : "";
    else if (char === "'") quote = "'";
    else if (char === "#" && /^\s?$/.test(kept.slice(-1))) at += /[^\n]*/.exec(shell.slice(at + 1))![0].length;
    else kept += char;
  }
  return kept;
}
const runsGuestCommand = (shell: string): boolean =>
  new RegExp(`(?<![\\w.-])(${commands.join("|")})(?![\\w-])`).test(commandsOf(shell));

describe("the guest library alone runs Proxmox VE's commands for guests", () => {
  const scripts = files.filter((file) => /^scripts\/.*\.sh$/.test(file));

  test.each(scripts)("%s", (file) => {
    expect([file, runsGuestCommand(read(file))]).toEqual([file, file === "scripts/lib/acts.sh"]);
  });

  test.each([
    ["pct start 100", true],
    ["if ! timeout 5 qm status 100; then exit; fi", true],
    ['[ "$(pct status "$1")" = "status: running" ]', true],
    ["x | /usr/sbin/pct exec 100 -- sh", true],
    ["# one pct a look\nsay 'pct start 100' # qm", false],
    ['fail "the guest\'s gone ($(name "$conf"))" "run pct start $VMID (qm for others)"', false],
  ])("a command is distinguished from a text: %s", (shell, runs) => {
    expect(runsGuestCommand(shell)).toBe(runs);
  });
});

describe("in the program", () => {
  const product = files.filter((file) =>
    /^((config|plan|remote|credentials|components|cli)\/|[^/]+$).*\.ts$/.test(file),
  );
  const naming = (words: RegExp): string[] => product.filter((file) => words.test(read(file)));

  test("the table of kinds and the machines' own files name the types of their resources", () => {
    const others = naming(/(container|vm)Legacy/i).filter((file) => !file.startsWith("components/machine/"));
    expect(others.sort()).toEqual([
      ...["components/LxcK3sContainer.ts", "components/VmK3sMachine.ts"],
      "plan/machineKinds.ts",
    ]);
  });

  test("the command line takes its advice for a guest from the table of kinds", () => {
    const advice = new RegExp(`\\b(${commands.join("|")}) [a-z$]`);
    expect(naming(advice).filter((file) => file.startsWith("cli/"))).toEqual([]);
  });
});
