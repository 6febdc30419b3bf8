import Ajv from "ajv";

import { addonsStackFileSchema } from "../../../scripts-dev/addonsSchema";
import { ConfigError } from "../../plan/load";
import { baseConfig, configOf, planOf, readMistakes } from "../support/config";

/** One fixture for each mistake, with the exact lines that a person sees. */

const mistakes = readMistakes();
const accepts = new Ajv({ allErrors: true, strict: true, strictTypes: false }).compile(addonsStackFileSchema());
const isAccepted = (addons: unknown): boolean => accepts({ config: { "proxmox-k3s-addons:addons": addons } });

function messageOf(config: unknown, outputs: unknown): string {
  try {
    planOf(config, outputs);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("the config was accepted");
}

test("the config that the fixtures change is valid, also by the editor's schema", () => {
  expect(() => planOf(baseConfig())).not.toThrow();
  expect([isAccepted(baseConfig()), accepts.errors]).toEqual([true, null]);
});

test.each(mistakes)("$file: $mistake", (mistake) => {
  expect(messageOf(configOf(mistake), mistake.outputs).split("\n")).toEqual(mistake.problems);
});

test.each(mistakes.filter(({ outputs }) => outputs === undefined))(
  "$file: the editor's schema refuses it, too, if it is in a single value",
  (mistake) => expect(isAccepted(configOf(mistake))).toBe(mistake.schema === false),
);
