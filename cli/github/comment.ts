import { z } from "zod";

import { type GitHubApi, isOurs, marked, written } from "./api";

export interface CommentArgs {
  readonly pullRequest: number;
  /** The commit that the text is about. */
  readonly head: string;
  /** Tells this comment from our other ones. */
  readonly key: string;
  readonly text: string;
}

const repository = z.looseObject({ full_name: z.string() });
const pullRequest = z.looseObject({
  head: z.looseObject({ sha: z.string(), repo: repository.nullish() }),
  base: z.looseObject({ repo: repository }),
});
const comment = written.extend({ id: z.number() });

const FROM_A_FORK =
  "> This pull request comes from a fork. The text below was made by its own code, without the cluster's state: " +
  "read it as a claim of its author.";

/**
 * Writes the one comment of its key on a pull request, or updates it in place. The number may come from the pull request's
 * own code, so the pull request must be at the commit that the trusted side knows.
 * @returns what was done, for the log
 */
export async function comments(api: GitHubApi, { pullRequest: number, head, key, text }: CommentArgs): Promise<string> {
  const { head: at, base } = await api.ask(pullRequest, "GET", `/pulls/${number}`);
  if (at.sha !== head) return `pull request ${number} is at ${at.sha}, not at ${head}: nothing was written`;
  const isFork = at.repo?.full_name !== base.repo.full_name;
  const body = marked(key, isFork ? `${FROM_A_FORK}\n\n${text}` : text);
  const former = (await api.list(comment, `/issues/${number}/comments`)).find((each) => isOurs(each, key));
  if (former) await api.ask(z.unknown(), "PATCH", `/issues/comments/${former.id}`, { body });
  else await api.ask(z.unknown(), "POST", `/issues/${number}/comments`, { body });
  return `the comment on pull request ${number} was ${former ? "updated" : "created"}`;
}
