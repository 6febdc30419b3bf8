import { Command } from "commander";

const STACK = "-s, --stack <name>";
const RUN = [STACK, "--debug", "--refresh", "--target <urn>", "--diff", "--json"];

/**
 * The commands and options of Pulumi that our pages name. tests/engine/pulumiCommands.test.ts compares them with the real Pulumi.
 * All commands have `--non-interactive`.
 */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  up: [
    ...RUN,
    ...["-y, --yes", "--replace <urn>", "--skip-preview", "--continue-on-error", "--expect-no-changes"],
    ...["--suppress-progress", "--suppress-outputs", "--attach-debugger"],
  ],
  preview: [...RUN, "--replace <urn>", "--expect-no-changes"],
  destroy: [...RUN, "-y, --yes", "--run-program", "--skip-preview", "--continue-on-error"],
  refresh: [STACK, "-y, --yes", "--import-pending-creates", "--clear-pending-creates"],
  cancel: [STACK, "-y, --yes"],
  "login [url]": [],
  "new [template]": ["--name <name>", "--generate-only"],
  "stack init [name]": [],
  "stack select [name]": [],
  "stack ls": [],
  "stack rm [name]": ["-y, --yes", "--force", "--preserve-config"],
  "stack change-secrets-provider <provider>": [STACK],
  "stack export": [STACK, "--file <file>"],
  "stack import": [STACK, "--file <file>"],
  "stack output [name]": [STACK, "--show-secrets"],
  "config set <key> [value]": [STACK, "--secret", "--path"],
  "plugin install [kind] [name] [version]": ["--checksum <sum>", "--server <url>"],
  "state delete <urn>": [STACK, "-y, --yes"],
  "state unprotect [urn]": [STACK, "--all", "-y, --yes"],
};

/** Pulumi's command line, only the parts that our pages use. */
export const pulumi = new Command("pulumi");

for (const [usage, options] of Object.entries(COMMANDS)) {
  const [group = "", ...rest] = usage.split(" ");
  const isBelow = /^[a-z]/.test(rest[0] ?? "");
  const parent = isBelow ? (pulumi.commands.find((each) => each.name() === group) ?? pulumi.command(group)) : pulumi;
  const command = parent.command(isBelow ? rest.join(" ") : usage);
  for (const flags of [...options, "--non-interactive"]) command.option(flags);
}
