/** `npm run docs`: writes the generated files. With `--check` it writes nothing and fails if a file is out of date. */
import fs from "node:fs";
import path from "node:path";
import { Command } from "commander";
import prettier from "prettier";
import { PAGE, renderPage } from "../tests/reliability/page";
import { SCHEMA_FILE, stackFileSchema } from "./clusterSchema";
import { CONFIG_PAGE, renderConfigPage } from "./configPage";
import { FIREWALL_PAGE, renderFirewallPage } from "./firewallPage";

const REPOSITORY = path.join(__dirname, "..");

/** Each generated file, and its text. */
const FILES: Readonly<Record<string, () => string | Promise<string>>> = {
  [path.relative(REPOSITORY, PAGE)]: renderPage,
  [CONFIG_PAGE]: renderConfigPage,
  [FIREWALL_PAGE]: renderFirewallPage,
  [SCHEMA_FILE]: () => JSON.stringify(stackFileSchema()),
};

async function textOf(name: string, render: () => string | Promise<string>): Promise<string> {
  const file = path.join(REPOSITORY, name);
  return prettier.format(await render(), { ...(await prettier.resolveConfig(file)), filepath: file });
}

new Command("docs")
  .description(
    "write docs/reliability.md from the rows in tests/reliability, docs/config.md and the JSON schema from config/schema.ts, and docs/firewall.md from plan/firewall.ts",
  )
  .option("--check", "write nothing; fail if a file is out of date")
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
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`docs: ${String(error)}\n`);
    process.exitCode = 1;
  });
