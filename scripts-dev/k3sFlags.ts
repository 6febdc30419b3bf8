/** Reads the options of K3s' servers and agents from the Go source that declares them, `pkg/cli/cmds` of K3s. */

export interface K3sFlags {
  /** Names of the server's options, sorted. */
  readonly server: readonly string[];
  readonly agent: readonly string[];
  /** Full names by short name: `t` is `token`. */
  readonly short: Readonly<Record<string, string>>;
}

interface Flag {
  readonly name: string;
  readonly short: readonly string[];
}

/** A flag that is declared separately, `VLevel = &cli.IntFlag{ … }`; lists name it by its variable. */
const DECLARED = /(\w+)\s*=\s*&cli\.\w+Flag(\{[^]*?\n\t\})/g;
/** An entry of a list: a variable, or a flag declared there. */
const ENTRY = /^\t+(?:(\w+),|&cli\.\w+Flag(\{[^]*?\n\t+\}),)$/gm;

/**
 * @param sources contents of the Go files
 * @throws Error if a list is missing or names a flag that no file declares: the form of the source has changed
 */
export function readK3sFlags(sources: readonly string[]): K3sFlags {
  const all = sources.join("\n");
  const declared = new Map([...all.matchAll(DECLARED)].map(([, variable = "", body = ""]) => [variable, flag(body)]));
  const listed = (what: string, list: RegExp): Flag[] => {
    const body = list.exec(all)?.[1];
    if (body === undefined) throw new Error(`no list of the ${what}'s flags`);
    return [...body.matchAll(ENTRY)].map(([, variable, inline]) => {
      const found = inline === undefined ? declared.get(variable ?? "") : flag(inline);
      if (!found) throw new Error(`no file declares the flag ${variable} of the ${what}`);
      return found;
    });
  };
  const server = listed("server", /\nvar ServerFlags = \[\]cli\.Flag(\{\n[^]*?\n\})/);
  const agent = listed("agent", /\bName:\s+"agent",[^]*?\bFlags: +\[\]cli\.Flag(\{\n[^]*?\n\t\t\})/);
  const names = (flags: readonly Flag[]): string[] => [...new Set(flags.map(({ name }) => name))].sort();
  const short = [...server, ...agent].flatMap((each) => each.short.map((letter) => [letter, each.name] as const));
  return { server: names(server), agent: names(agent), short: Object.fromEntries(short.sort()) };
}

function flag(body: string): Flag {
  const name = /\bName:\s+"([^"]+)"/.exec(body)?.[1];
  if (name === undefined) throw new Error(`a flag without a name: ${body}`);
  const aliases = /\bAliases:\s+\[\]string\{([^}]*)\}/.exec(body)?.[1] ?? "";
  return { name, short: [...aliases.matchAll(/"([^"]+)"/g)].map(([, alias = ""]) => alias) };
}
