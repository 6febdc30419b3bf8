const SIGNS: Readonly<Record<string, string>> = { MADE: "+", STANDS: "✓", DIFFERS: "!", REMOVED: "-", KEPT: "!" };
const WORDS: Readonly<Record<string, string>> = {
  MADE: "made",
  STANDS: "stands",
  DIFFERS: "differs",
  REMOVED: "removed",
  KEPT: "kept",
};

/** Prints what a step did: `MADE`, `STANDS`, `DIFFERS`, `REMOVED` or `KEPT`, a tab, and the thing. */
export function tell(line: string): void {
  const [level = "", ...what] = line.split("\t");
  if (level in SIGNS) console.log(`${SIGNS[level]} ${WORDS[level]!.padEnd(7)}  ${what.join(" ")}`);
}

/**
 * Runs one step and prints its result.
 * @throws Error with the step's own cause and next step, and how to continue
 */
export async function step<T>(what: string, run: () => Promise<T> | T): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const [cause = "", ...next] = (error as Error).message.replace(/^(?:error: )?/, "").split("\n");
    const goOn = "then run the same command again: it continues from here";
    throw new Error([`${what}: ${cause}`, ...next, goOn].join("\n"), { cause: error });
  }
}
