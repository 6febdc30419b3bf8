import { ConfigError, loadPlan } from "../../../plan/load";
import { baseConfig, configOf, readMistakes } from "./support";

/** One fixture for each mistake, with the exact lines that a person sees. */
const mistakes = readMistakes();

function messageOf(config: unknown): string {
  try {
    loadPlan(config, {});
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("the config was accepted");
}

test("the config that the fixtures change is valid", () => {
  expect(() => loadPlan(baseConfig(), {})).not.toThrow();
});

test("there is a fixture for at least 30 mistakes", () => {
  expect(mistakes.length).toBeGreaterThanOrEqual(30);
});

test.each(mistakes)("$file: $mistake", (fixture) => {
  expect(messageOf(configOf(fixture)).split("\n")).toEqual(fixture.problems);
});

test("no message repeats what may be a private key", () => {
  const config = configOf({ change: { proxmox: { hostKey: "MARKER" }, ssh: { authorizedKeys: ["MARKER"] } } });
  expect(messageOf(config)).not.toContain("MARKER");
});
