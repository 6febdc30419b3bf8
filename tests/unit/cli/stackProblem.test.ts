import { stackProblem, yamlProblem } from "../../../cli/stackProblem";

/* Pulumi's own messages, as `pulumi config --json` and `pulumi stack export` print them. */
test.each([
  ["pulumi is not on PATH", /^install the Pulumi CLI/],
  ["PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", /^log in: pulumi login "file:/],
  [
    'unable to open state directory "file:///tmp/state": stat /tmp/state: no such file or directory',
    /^the backend's folder is missing: pulumi login/,
  ],
  [
    "no stack selected; please use `pulumi stack select` or `pulumi stack init` to choose one",
    /^select one: pulumi stack select NAME/,
  ],
  ["no stack named 'nope' found", /^pulumi stack ls lists the stacks/],
  [
    "unable to read PULUMI_CONFIG_PASSPHRASE_FILE: open /tmp/none: no such file or directory",
    /^set PULUMI_CONFIG_PASSPHRASE_FILE to the file/,
  ],
  [
    'could not deserialize deployment: constructing secrets manager of type "passphrase": constructing secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables',
    /^set PULUMI_CONFIG_PASSPHRASE_FILE to the file/,
  ],
  ["incorrect passphrase", /to the passphrase that the stack was created with$/],
  ["the moon is full", /^fix the cause in Pulumi's message/],
])("each reason why a stack cannot be read has its own remedy: %s", async (message, remedy) => {
  const problem = await stackProblem(new Error(message), "mine");
  expect(problem).toMatchObject({ seen: message, remedy: expect.stringMatching(remedy) as string });
  expect(problem.message).toBe(`${message}\nnext:  ${problem.remedy}`);
});

test.each([
  ["PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", true],
  ["no stack selected; please use `pulumi stack select` or `pulumi stack init` to choose one", true],
  ["no stack named 'nope' found", false],
  ["incorrect passphrase", false],
])("whether there is no stack at all: %s", async (message, isNoStack) => {
  expect(await stackProblem(new Error(message), "mine")).toMatchObject({ isNoStack });
});

describe("a mistake in the stack's file is named with its own line", () => {
  const pools = (...lines: string[]): string =>
    ["config:", "  proxmox-k3s:cluster:", "    pools:", "      control:", "        role: server", ...lines, ""].join(
      "\n",
    );

  test.each([
    [
      "a pool one column to the left",
      ["     worker:", "        role: agent"],
      6,
      "the indentation fits none of the lines above it",
    ],
    [
      "a key one column to the left",
      ["      worker:", "        role: agent", "       count: 2"],
      8,
      "the indentation fits none of the lines above it",
    ],
    ["a tab", ["      worker:", "\trole: agent"], 7, "a tab for indentation"],
    ["a key twice", ["      worker:", "        count: 1", "        count: 2"], 8, "the key is already in this map"],
    ["a second colon", ["      worker: role: agent"], 6, "Nested mappings are not allowed in compact mappings"],
  ])("%s", (_, lines, line, words) => {
    expect(yamlProblem("Pulumi.mine.yaml", pools(...lines))?.seen).toBe(`Pulumi.mine.yaml, line ${line}: ${words}`);
  });

  test("a good file has none", () => {
    expect(yamlProblem("Pulumi.mine.yaml", pools("      worker:", "        role: agent"))).toBeUndefined();
  });
});
