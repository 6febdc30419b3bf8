/** `npm run api-facts`: writes tests/fixtures/pveApi.json from the official schema, or with `--check` compares. */
import fs from "node:fs";
import { Command } from "commander";
import * as prettier from "prettier";

import { FACTS_FILE, factsOf, readApiSource } from "../tests/support/pveFacts";

new Command("api-facts")
  .description(
    "Writes tests/fixtures/pveApi.json: the facts about the endpoints of Proxmox VE's API that the lab serves, from the " +
      "full official schema that PVE_API_SCHEMA names or that is next to the repository.",
  )
  .option("--check", "write nothing; fail if the file differs")
  .addHelpText("after", "\nExample:\n  PVE_API_SCHEMA=~/pve-api-9.2.3.json npm run api-facts")
  .action(async ({ check }: { check?: boolean }, command: Command) => {
    const { api, name, isFull } = readApiSource();
    // Short objects are on one line, so that the file has only some thousand lines.
    const options = { ...(await prettier.resolveConfig(FACTS_FILE)), filepath: FACTS_FILE };
    const text = await prettier.format(JSON.stringify(factsOf(api)), options);
    process.stdout.write(`Proxmox VE's API is taken from ${name}\n`);
    if (check) {
      if (fs.readFileSync(FACTS_FILE, "utf8") !== text)
        command.error("api-facts: tests/fixtures/pveApi.json is not up to date; run: npm run api-facts");
    } else if (isFull) fs.writeFileSync(FACTS_FILE, text);
    else command.error("api-facts: set PVE_API_SCHEMA to the full official schema (pve-api-9.2.3.json)");
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`api-facts: ${String(error)}\n`);
    process.exitCode = 1;
  });
