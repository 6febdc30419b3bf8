/** `npm run k3s-options -- FOLDER SOURCE`: records the options of K3s in `config/k3s-options.json`. */
import fs from "node:fs";
import path from "node:path";
import { Command } from "commander";
import { readK3sFlags } from "./k3sFlags";

const OPTIONS = path.join(__dirname, "../config/k3s-options.json");

new Command("k3s-options")
  .description("record the options of K3s' servers and agents in config/k3s-options.json")
  .argument("<folder>", "pkg/cli/cmds of a checkout of K3s")
  .argument("<source>", "what is checked out, for people: a release or a commit")
  .action((folder: string, source: string) => {
    const files = fs.readdirSync(folder).filter((file) => file.endsWith(".go"));
    const flags = readK3sFlags(files.map((file) => fs.readFileSync(path.join(folder, file), "utf8")));
    fs.writeFileSync(OPTIONS, `${JSON.stringify({ source, ...flags }, undefined, 2)}\n`);
  })
  .parse();
