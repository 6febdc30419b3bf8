import { Command } from "commander";

import { program } from "../cli/program";
import { program as lab } from "../lab/cli";
import manifest from "../package.json";
import { pulumi } from "./pulumiCommands";

/** Checks the commands in a page's code: ours against commander's description of them, npm's scripts, and Pulumi's commands. */

/** @returns the problem of each command that does not exist, or that has no such option or argument */
export function wrongCommands(text: string): string[] {
  return commandsIn(text).flatMap((words) => problem(words) ?? []);
}

/** Each command of a page that we can check, as words. */
export function commandsIn(text: string): string[][] {
  return codeIn(text)
    .flatMap((code) => code.replaceAll("\\\n", " ").split("\n"))
    .flatMap((line) =>
      line
        .replace(/(^|\s)#\s.*$/, "")
        .replace(/<[a-z][^<>]*>/g, "PLACE") // <urn of its machine>
        .split(/&&|\|\||[;|()`]/),
    )
    .flatMap((part) => {
      const words = [...part.matchAll(/"[^"]*"|'[^']*'|[^\s"']+/g)].map(([word]) =>
        word.replace(/^[["]+|[\]",]+$/g, ""),
      );
      const first = words.findIndex((word) => !/^(-|\w+:|sudo|\w+=.*)$/.test(word));
      const command = words.slice(first, endOf(words));
      return ["npx", "npm", "pulumi", "proxmox-k3s"].includes(command[0] ?? "") ? [command] : [];
    });
}

/** Where a redirection starts. */
function endOf(words: readonly string[]): number {
  const at = words.findIndex((word) => /^\d?[<>]/.test(word));
  return at === -1 ? words.length : at;
}

/** Code blocks, and code inside sentences. */
function codeIn(text: string): string[] {
  const blocks = [...text.matchAll(/^ *```[^\n]*\n([^]*?)\n *```$/gm)].map(([, block = ""]) => block);
  const sentences = text.replace(/^ *```[^]*?\n *```$/gm, "");
  return [...blocks, ...[...sentences.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code.replace(/\s*\n\s*/g, " "))];
}

function problem([tool, ...words]: readonly string[]): string | undefined {
  if (tool === "pulumi") return wrongWord(pulumi, words);
  if (tool === "proxmox-k3s") return wrongWord(program, words);
  if (tool === "npx") return words[0] === "proxmox-k3s" ? wrongWord(program, words.slice(1)) : undefined;
  const [verb, script, ...more] = words.filter((word) => word !== "-s" && word !== "--silent");
  if (verb !== "run" || script === undefined) return undefined;
  const text = (manifest.scripts as Partial<Record<string, string>>)[script];
  if (text === undefined) return `npm run ${script}: package.json has no such script`;
  const [, file = "", given = ""] = /^tsx (\S+) ?(.*)$/.exec(text) ?? [];
  const command = { "cli/main.ts": program, "lab/cli.ts": lab }[file];
  return (
    command && wrongWord(command, [...given.split(" ").filter(Boolean), ...(more[0] === "--" ? more.slice(1) : [])])
  );
}

function wrongWord(root: Command, words: readonly string[]): string | undefined {
  let command = root;
  let called = root.name();
  let position = 0;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--") return undefined;
    if (word === "…" || word === "--help") continue;
    if (word.startsWith("-")) {
      const [flag = ""] = word.split("=");
      const option = command.options.find(({ long, short }) => long === flag || short === flag);
      if (!option) return `${called}: there is no option ${flag}`;
      if (option.required && flag === word) at++;
      continue;
    }
    const below = command.commands;
    if (below.length > 0) {
      const next = below.find((each) => each.name() === word);
      if (!next) return `${called}: there is no command ${word}`;
      command = next;
      called += ` ${word}`;
      continue;
    }
    const argument = command.registeredArguments[position++] ?? undefined;
    if (!argument) return `${called}: it takes no argument ${word}`;
    if (argument.variadic) return undefined; // words of another program
  }
  return undefined;
}
