import * as readline from "node:readline/promises";

import { InitError } from "./problem";

/** Answers questions: a person at a terminal, or the defaults. */
export interface Person {
  /**
   * @param otherwise the answer if it is empty
   * @param read turns the answer into a value; if it throws an InitError, the question is asked again
   */
  ask<T>(question: string, otherwise: string, read: (answer: string) => T | Promise<T>): Promise<T>;
  confirm(question: string): Promise<boolean>;
}

/** Takes every default and agrees to everything: for `--yes`, and for `--dry-run`, which changes nothing. */
export const nobody: Person = {
  ask: async (_, otherwise, read) => read(otherwise),
  confirm: () => Promise.resolve(true),
};

const HOW_WITHOUT = "add --yes to take every default, or --dry-run to see them";

/** @throws Error if there is no terminal */
export function atTerminal(): Person {
  if (!process.stdin.isTTY) throw new Error(`there is no terminal to ask at\nnext:  ${HOW_WITHOUT}`);
  return personAt(process.stdin, process.stdout);
}

/** Its questions fail when the input ends. */
export function personAt(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Person {
  const put = async (question: string): Promise<string> => {
    const lines = readline.createInterface({ input, output });
    try {
      return await new Promise<string>((resolve, reject) => {
        const without = `nobody answered: ${question.trim()}\nnext:  answer it, or ${HOW_WITHOUT}`;
        lines.once("close", () => reject(new Error(without)));
        lines.question(question).then((answer) => resolve(answer.trim()), reject);
      });
    } finally {
      lines.close();
    }
  };
  return {
    ask: async (question, otherwise, read) => {
      for (;;) {
        const answer = (await put(`${question} [${otherwise}]: `)) || otherwise;
        try {
          return await read(answer);
        } catch (error) {
          if (!(error instanceof InitError)) throw error;
          for (const { cause } of error.problems) output.write(`  ${cause}\n`);
        }
      }
    },
    confirm: async (question) => /^y(es)?$/i.test(await put(`${question} [y/N]: `)),
  };
}
