import { text as readAll } from "node:stream/consumers";

import { Command, InvalidArgumentError } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { GitHubApi } from "./api";
import { comments } from "./comment";
import { closesIssue, opensIssue } from "./issue";

const comment = new Command("comment")
  .description("Write a comment on a pull request, with the text on stdin, or update the one that is there.")
  .requiredOption("--pull-request <number>", "its number", wholeNumber)
  .requiredOption("--head <commit>", "the commit that the text is about; nothing is written if the head is another")
  .requiredOption("--key <name>", "what tells this comment from others")
  .action(async ({ pullRequest, head, key }: { pullRequest: number; head: string; key: string }) => {
    const api = GitHubApi.fromEnvironment();
    console.log(await comments(api, { pullRequest, head, key, text: await readAll(process.stdin) }));
  });

const issue = new Command("issue")
  .description("Open an issue with the text on stdin, or update the open one; with --close: close it.")
  .requiredOption("--key <name>", "what tells this issue from others")
  .option("--title <text>", "the title of a new issue", "The cluster differs from its config")
  .option("--close", "close the open issue, if there is one")
  .action(async ({ key, title, close }: { key: string; title: string; close?: boolean }) => {
    const api = GitHubApi.fromEnvironment();
    const text = close ? "" : await readAll(process.stdin);
    console.log(close ? await closesIssue(api, key) : await opensIssue(api, { key, title, text }));
  });

/** `proxmox-k3s github`: what the workflows in `.github/workflows` write on GitHub. */
export const githubCommand = new Command("github")
  .description(
    "Write a review or a report on GitHub: one comment on a pull request, one issue, updated in place. Takes GITHUB_TOKEN " +
      "and GITHUB_REPOSITORY from the environment.",
  )
  .addCommand(comment)
  .addCommand(issue)
  .addHelpText(
    "after",
    `\nExample:\n  ${ownCommand("github comment --pull-request 7 --head COMMIT --key preview < preview.md")}`,
  );

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
