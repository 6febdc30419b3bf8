import { GitHubApi } from "../../../cli/github/api";
import { comments } from "../../../cli/github/comment";
import { closesIssue, opensIssue } from "../../../cli/github/issue";
import { GitHubDouble } from "../../support/doubles/githubApi";

let github: GitHubDouble;
let api: GitHubApi;
beforeEach(async () => {
  github = await GitHubDouble.start();
  github.pullRequests.push({ number: 7, sha: "c0ffee", from: github.repository });
  api = GitHubApi.fromEnvironment(github.env);
});
afterEach(() => github.stop());

const comment = (text: string, head = "c0ffee"): Promise<string> =>
  comments(api, { pullRequest: 7, head, key: "preview", text });
const bodies = (): string[] => github.comments.map(({ body }) => body);

describe("a comment", () => {
  test("is created, then updated in place, also if it is on the second page", async () => {
    github.comments.push(...Array.from({ length: 100 }, () => github.written("somebody", "hello", "7")));
    expect(await comment("one")).toBe("the comment on pull request 7 was created");
    expect(await comment("two")).toBe("the comment on pull request 7 was updated");
    expect(bodies().slice(100)).toEqual(["<!-- proxmox-k3s preview -->\ntwo"]);
  });

  test("of somebody else, or with another key, is not ours", async () => {
    github.comments.push(github.written("somebody", "<!-- proxmox-k3s preview -->\nhello", "7"));
    github.comments.push(github.written("github-actions[bot]", "<!-- proxmox-k3s other -->\nhello", "7"));
    await comment("one");
    expect(github.changes).toEqual(["POST /issues/7/comments"]);
  });

  test("is not written on a pull request that is at another commit: its own code may name any number", async () => {
    expect(await comment("one", "another")).toBe("pull request 7 is at c0ffee, not at another: nothing was written");
    expect(github.changes).toEqual([]);
  });

  test("is cut to GitHub's limit", async () => {
    await comment("x".repeat(70_000));
    expect(bodies()[0]?.length).toBeLessThan(65_536);
    expect(bodies()[0]).toMatch(/x\n\nThe rest was cut off: it is too long\.$/);
  });
});

describe("an issue", () => {
  const open = (text: string): Promise<string> => opensIssue(api, { key: "status", title: "It differs", text });

  test("is opened once, updated, closed, and opened again", async () => {
    expect(await open("one")).toBe("issue 1 was opened");
    expect(await open("two")).toBe("issue 1 was updated");
    expect(github.issues.map(({ title, body }) => [title, body])).toEqual([
      ["It differs", "<!-- proxmox-k3s status -->\n```\ntwo\n```"],
    ]);
    expect(await closesIssue(api, "status")).toBe("issue 1 was closed");
    expect(await closesIssue(api, "status")).toBe("no issue is open");
    expect(await open("three")).toBe("issue 2 was opened");
  });

  test("has a node's or guest's output as plain text: it cannot end a block or mention anybody", async () => {
    await open("``` @everyone");
    expect(github.issues[0]?.body.split("\n").slice(1)).toEqual(["````", "``` @everyone", "````"]);
  });
});

test("a missing setting and a refused request are errors that say what to do", async () => {
  expect(() => GitHubApi.fromEnvironment({ GITHUB_REPOSITORY: "a/b" })).toThrow(/^GITHUB_TOKEN is not set\nnext: /);
  const stranger = GitHubApi.fromEnvironment({ ...github.env, GITHUB_TOKEN: "another" });
  await expect(closesIssue(stranger, "status")).rejects.toThrow(
    /^GitHub answers GET \/issues\S* with 401: .*Bad credentials.*\nnext: {2}check the token's permissions in the workflow/,
  );
});
