import { z } from "zod";

import { type GitHubApi, isOurs, marked, WORKFLOW_AUTHOR, written } from "./api";

export interface IssueArgs {
  /** Tells this issue from our other ones. */
  readonly key: string;
  readonly title: string;
  /** The output of a command, unchanged. */
  readonly text: string;
}

const issue = written.extend({ number: z.number(), pull_request: z.unknown().optional() });

/**
 * Opens the one issue of its key, or updates the open one.
 * @returns what was done, for the log
 */
export async function opensIssue(api: GitHubApi, { key, title, text }: IssueArgs): Promise<string> {
  const body = marked(key, fenced(text));
  const former = await openIssue(api, key);
  if (former !== undefined) {
    await api.ask(z.unknown(), "PATCH", `/issues/${former}`, { body });
    return `issue ${former} was updated`;
  }
  const made = await api.ask(issue, "POST", "/issues", { title, body });
  return `issue ${made.number} was opened`;
}

/** Closes the open issue of a key, if there is one. */
export async function closesIssue(api: GitHubApi, key: string): Promise<string> {
  const former = await openIssue(api, key);
  if (former === undefined) return "no issue is open";
  await api.ask(z.unknown(), "PATCH", `/issues/${former}`, { state: "closed", state_reason: "completed" });
  return `issue ${former} was closed`;
}

async function openIssue(api: GitHubApi, key: string): Promise<number | undefined> {
  const open = await api.list(issue, `/issues?state=open&creator=${encodeURIComponent(WORKFLOW_AUTHOR)}`);
  return open.find((each) => each.pull_request === undefined && isOurs(each, key))?.number;
}

/** A block that no line of the text can end, so that the words of a node or a guest are never read as Markdown. */
function fenced(text: string): string {
  const runs = text.match(/`+/g) ?? [];
  const fence = "`".repeat(Math.max(3, ...runs.map(({ length }) => length + 1)));
  return `${fence}\n${text.trimEnd()}\n${fence}`;
}
