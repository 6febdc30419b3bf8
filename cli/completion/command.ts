import * as fs from "node:fs";
import * as path from "node:path";
import { Argument, Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { subjectOf } from "../daily/apply";
import { clusterIn } from "../preview/former";
import { PROGRAM } from "../pulumi";
import { completionTable } from "./table";

/** Each shell, and how it reads the script in every session. */
const SHELLS = {
  bash: `${ownCommand("completion bash")} > ~/.proxmox-k3s.bash && echo '. ~/.proxmox-k3s.bash' >> ~/.bashrc`,
  zsh: `${ownCommand("completion zsh")} > ~/.proxmox-k3s.zsh && echo '. ~/.proxmox-k3s.zsh' >> ~/.zshrc`,
  fish: `${ownCommand("completion fish")} > ~/.config/fish/completions/npx.fish`,
} as const;
export type Shell = keyof typeof SHELLS;

/**
 * A script for a shell. It contains the words of all commands, and asks the program only for the names of nodes, pools and
 * stacks.
 */
export function renderCompletion(shell: Shell, program: Command): string {
  const read = (file: string): string => fs.readFileSync(path.join(__dirname, file), "utf8");
  return read(`completion.${shell}`)
    .replaceAll("@TABLE@", () => completionTable(program))
    .replaceAll("@ANSWERS@", () => read("answers.awk"));
}

const NAMES = {
  nodes: async () => (await subjectOf(undefined)).plan.nodes.map(({ name }) => name),
  pools: async () => Object.keys((clusterIn((await subjectOf(undefined)).file) as { pools: object }).pools),
  stacks: () => fs.readdirSync(PROGRAM).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []),
};

const names = new Command("names")
  .addArgument(new Argument("<kind>").choices(Object.keys(NAMES)))
  .action(async (kind: keyof typeof NAMES) => console.log((await NAMES[kind]()).join("\n")));

/** `proxmox-k3s completion`: a script with which a shell completes these commands with Tab. */
export const completionCommand = new Command("completion")
  .description("Print a script that lets your shell complete these commands, also after npx.")
  .addHelpText("after", `\nExample:\n  ${Object.values(SHELLS).join("\n  ")}`)
  .addCommand(names, { hidden: true });
for (const shell of Object.keys(SHELLS) as Shell[])
  completionCommand
    .command(shell)
    .description(`Print the script for ${shell}.`)
    .addHelpText("after", `\nExample:\n  ${SHELLS[shell]}`)
    .action(() => void process.stdout.write(renderCompletion(shell, completionCommand.parent!)));
