import * as fs from "node:fs";
import * as path from "node:path";
import { parseDocument, type YAMLError } from "yaml";

import { advice } from "../remote/advice";
import { PROGRAM, pulumi } from "./pulumi";

/** A stack that cannot be read: why, and what to do. */
export class StackError extends Error {
  override readonly name = "StackError";

  constructor(
    readonly seen: string,
    readonly remedy: string,
    cause: unknown,
  ) {
    super(advice(seen, remedy), { cause });
  }

  /** Whether there is no stack at all, rather than one that cannot be read. */
  get isNoStack(): boolean {
    return NO_LOGIN.test(this.seen) || NO_STACK.test(this.seen);
  }
}

/* Pulumi's errors have no code, so the text says what failed. */
const NO_LOGIN = /must be set for login|not logged in/;
const NO_STACK = /no stack selected/;

const PASSPHRASE_FILE =
  "set PULUMI_CONFIG_PASSPHRASE_FILE to the file with the stack's passphrase, for example export PULUMI_CONFIG_PASSPHRASE_FILE=~/.config/proxmox-k3s-passphrase";

const REMEDIES: readonly (readonly [words: RegExp, remedy: string])[] = [
  [/is not on PATH/, "install the Pulumi CLI (https://www.pulumi.com/docs/install/), or add its folder to PATH"],
  [NO_LOGIN, 'log in: pulumi login "file://$HOME?metadata=skip", or your own backend'],
  [
    /unable to open state directory/,
    "the backend's folder is missing: pulumi login with the URL of the backend that has the state",
  ],
  [NO_STACK, "select one: pulumi stack select NAME; pulumi stack ls lists them"],
  [/no stack named/, "pulumi stack ls lists the stacks of this backend; pulumi whoami -v says which backend it is"],
  [/unable to read PULUMI_CONFIG_PASSPHRASE_FILE/, PASSPHRASE_FILE],
  [/passphrase must be set/, PASSPHRASE_FILE],
  [
    /incorrect passphrase/,
    "set PULUMI_CONFIG_PASSPHRASE_FILE (or PULUMI_CONFIG_PASSPHRASE) to the passphrase that the stack was created with",
  ],
];

/**
 * Explains why Pulumi could not read a stack.
 * @param error Pulumi's own error
 * @param name the selected stack by default
 */
export async function stackProblem(error: Error, name: string | undefined): Promise<StackError> {
  const { message } = error;
  if (/invalid YAML file|could not unmarshal/.test(message)) {
    // Pulumi names the line of the mapping that contains the mistake, which may be far above it.
    const file = `Pulumi.${((name ?? (await selectedStack())) || "").split("/").at(-1)}.yaml`;
    const text = path.join(PROGRAM, file);
    const found = fs.existsSync(text) ? yamlProblem(file, fs.readFileSync(text, "utf8")) : undefined;
    const { seen = message, remedy = "fix the YAML of the stack's file, Pulumi.<stack>.yaml" } = found ?? {};
    return new StackError(seen, remedy, error);
  }
  const [, remedy = "fix the cause in Pulumi's message; pulumi stack shows whether the stack can be read"] =
    REMEDIES.find(([words]) => words.test(message)) ?? [];
  return new StackError(message, remedy, error);
}

/** The name of the selected stack; empty if there is none. Pulumi does not read the stack's file for it. */
const selectedStack = async (): Promise<string> => (await pulumi(["stack", "--show-name"]).catch(() => "")).trim();

/** The first mistake in a YAML text, with its line; undefined if it has none. */
export function yamlProblem(file: string, text: string): { seen: string; remedy: string } | undefined {
  const [first] = parseDocument(text).errors;
  if (first === undefined) return undefined;
  const { seen, remedy } = wordsOf(first);
  return { seen: `${file}, line ${first.linePos?.[0].line}: ${seen}`, remedy };
}

function wordsOf({ code, message }: YAMLError): { seen: string; remedy: string } {
  switch (code) {
    case "TAB_AS_INDENT":
      return { seen: "a tab for indentation", remedy: "use spaces: YAML does not allow tabs" };
    case "BAD_INDENT":
      return {
        seen: "the indentation fits none of the lines above it",
        remedy: "indent the line with as many spaces as the other keys of its map",
      };
    case "DUPLICATE_KEY":
      return { seen: "the key is already in this map", remedy: "remove one of the two" };
    default:
      return { seen: message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, ""), remedy: "fix the line" };
  }
}
