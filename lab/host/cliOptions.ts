import type { Parameters } from "./pctApi";

/**
 * Options as `PVE::JSONSchema::get_options` takes them: `--key value`, `--key=value`, one dash or two, a bare flag is 1.
 *
 * @param words names of the positional arguments, all required.
 * @throws Error with PVE's text if there are too few or too many.
 */
export function parseOptions(args: readonly string[], words: readonly string[]): Parameters {
  const parameters: Record<string, string> = {};
  const rest = [...words];
  for (let i = 0; i < args.length; i++) {
    const option = /^--?([a-z][\w-]*)(?:=(.*))?$/s.exec(args[i]!);
    if (!option) {
      const word = rest.shift();
      if (word === undefined) throw new Error(`400 too many arguments`);
      parameters[word] = args[i]!;
      continue;
    }
    const next = args[i + 1];
    const isFlag = option[2] === undefined && (next === undefined || /^--?[a-z]/.test(next));
    parameters[option[1]!] = option[2] ?? (isFlag ? "1" : args[++i]!);
  }
  if (rest.length > 0) throw new Error(`400 not enough arguments`);
  return parameters;
}
