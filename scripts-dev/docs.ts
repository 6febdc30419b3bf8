/** `npm run docs`: writes the pages that are generated, or with `--check` fails where one is not what it would be. */
import fs from "node:fs";
import { Command } from "commander";
import { PAGE, renderPage } from "../tests/reliability/page";

new Command("docs")
  .description("write docs/reliability.md from the rows that the tests show")
  .option("--check", "write nothing; fail when the page differs")
  .action(async ({ check }: { check?: boolean }, command: Command) => {
    const text = await renderPage();
    if (!check) fs.writeFileSync(PAGE, text);
    else if (!fs.existsSync(PAGE) || fs.readFileSync(PAGE, "utf8") !== text)
      command.error("docs: docs/reliability.md is not what its rows say: npm run docs");
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`docs: ${String(error)}\n`);
    process.exitCode = 1;
  });
