/**
 * `npm run docs`: writes the generated files. With `--check` it writes nothing, and fails if a file is out of date or a page has a
 * dead link or a command that does not exist.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { Command } from "commander";
import prettier from "prettier";
import { PAGE, renderPage } from "../tests/reliability/page";
import { ADDONS_PAGE, renderAddonsPage } from "./addonsPage";
import { ADDONS_SCHEMA_FILE, addonsStackFileSchema } from "./addonsSchema";
import { SCHEMA_FILE, stackFileSchema } from "./clusterSchema";
import { CONFIG_PAGE, renderConfigPage } from "./configPage";
import { FIREWALL_PAGE, renderFirewallPage } from "./firewallPage";
import { wrongCommands } from "./pageCommands";
import { deadLinks } from "./pageLinks";

const REPOSITORY = path.join(__dirname, "..");

/** Each generated file, and its text. */
const FILES: Readonly<Record<string, () => string | Promise<string>>> = {
  [path.relative(REPOSITORY, PAGE)]: renderPage,
  [CONFIG_PAGE]: renderConfigPage,
  [FIREWALL_PAGE]: renderFirewallPage,
  [SCHEMA_FILE]: () => JSON.stringify(stackFileSchema()),
  [ADDONS_PAGE]: renderAddonsPage,
  [ADDONS_SCHEMA_FILE]: () => JSON.stringify(addonsStackFileSchema()),
};

async function textOf(name: string, render: () => string | Promise<string>): Promise<string> {
  const file = path.join(REPOSITORY, name);
  return prettier.format(await render(), { ...(await prettier.resolveConfig(file)), filepath: file });
}

/** Every page that people read. The text of a decision does not change later, so it may name things that no longer exist. */
function pages(): string[] {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.md"], {
    cwd: REPOSITORY,
    encoding: "utf8",
  });
  return files.split("\n").filter((file) => file !== "" && fs.existsSync(path.join(REPOSITORY, file)));
}

function problemsOf(page: string): string[] {
  const text = fs.readFileSync(path.join(REPOSITORY, page), "utf8");
  const commands = page.startsWith("docs/decisions/") ? [] : wrongCommands(text);
  return [...deadLinks(page, text).map((link) => `the link ${link} is dead`), ...commands].map(
    (what) => `${page}: ${what}`,
  );
}

new Command("docs")
  .description(
    "write docs/reliability.md from the rows in tests/reliability, docs/config.md and its JSON schema from config/schema.ts, the same of the add-ons from addons/config/schema.ts, and docs/firewall.md from plan/firewall.ts",
  )
  .option("--check", "write nothing; fail if a file is out of date, a link is dead or a command does not exist")
  .action(async ({ check }: { check?: boolean }, command: Command) => {
    const stale: string[] = [];
    for (const [name, render] of Object.entries(FILES)) {
      const file = path.join(REPOSITORY, name);
      const text = await textOf(name, render);
      if (fs.existsSync(file) && fs.readFileSync(file, "utf8") === text) continue;
      stale.push(name);
      if (check) continue;
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, text);
    }
    if (check && stale.length > 0)
      command.error(`docs: these files are out of date: ${stale.join(", ")}; run npm run docs`);
    const problems = check ? pages().flatMap(problemsOf) : [];
    if (problems.length > 0) command.error(problems.join("\n"));
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`docs: ${String(error)}\n`);
    process.exitCode = 1;
  });
