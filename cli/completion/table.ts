import type { Command } from "commander";

/** Commander's name of an argument or option says whose names it takes. */
const NAMES: Readonly<Record<string, string>> = { node: "nodes", pool: "pools", stack: "stacks" };

/**
 * Commander's table of commands, as lines for `answers.awk`: place, word, kind, text. The place of a command's words is its path.
 * The place of an answer is the path and the option, or the path and the argument's number.
 */
export function completionTable(command: Command, path = ""): string {
  const help = command.createHelp();
  return [
    ...help
      .visibleCommands(command)
      .flatMap((below) => [
        row(path, below.name(), "command", below.description()),
        completionTable(below, `${path} ${below.name()}`.trim()),
      ]),
    ...help
      .visibleOptions(command)
      .flatMap((option) => [
        row(path, option.long!, option.required ? "value" : "flag", option.description),
        ...answers(`${path} ${option.long}`, option.attributeName(), option.argChoices),
      ]),
    ...command.registeredArguments.flatMap((argument, at) =>
      answers(`${path} ${at + 1}`, argument.name(), argument.argChoices),
    ),
  ]
    .filter(Boolean)
    .join("\n");
}

function answers(place: string, name: string, choices: readonly string[] = []): string[] {
  const names = NAMES[name];
  return names === undefined ? choices.map((choice) => row(place, choice, "answer")) : [row(place, names, "names")];
}

/** The text is only its first words: shells show it on one line, and the script has it in single quotes. */
const row = (place: string, word: string, kind: string, text = ""): string =>
  [place, word, kind, text.split(/[.:;](?: |$)| \(/)[0]!.replaceAll("'", "’")].join("\t");
