import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A comment or an issue, as GitHub's API returns it, with the fields that the program reads. */
interface Written {
  readonly id: number;
  readonly number: number;
  readonly user: { readonly login: string };
  /** Number of the pull request that has the comment. */
  readonly on?: string | undefined;
  body: string;
  title?: string;
  state?: string;
}

interface PullRequest {
  readonly number: number;
  readonly sha: string;
  /** `owner/name` of the repository with the pull request's branch. */
  readonly from: string;
}

const TOKEN = "the-workflow's-token";

/**
 * A double of those few calls of GitHub's REST API that `cli/github` makes, for one repository: a pull request, its comments,
 * the issues. A caller with the token is the workflow's user; without it, a call is refused.
 */
export class GitHubDouble {
  readonly repository = "owner/cluster";
  readonly comments: Written[] = [];
  readonly issues: Written[] = [];
  readonly pullRequests: PullRequest[] = [];
  /** Every call that changed something: "POST /issues/7/comments". */
  readonly changes: string[] = [];
  private readonly server: http.Server;

  private constructor() {
    this.server = http.createServer((request, response) => void this.answer(request, response));
  }

  static async start(): Promise<GitHubDouble> {
    const double = new GitHubDouble();
    await new Promise<void>((resolve) => double.server.listen(0, "127.0.0.1", resolve));
    return double;
  }

  /** The part of a workflow's environment that names this API. */
  get env(): { GITHUB_API_URL: string; GITHUB_REPOSITORY: string; GITHUB_TOKEN: string } {
    const { port } = this.server.address() as AddressInfo;
    return {
      GITHUB_API_URL: `http://127.0.0.1:${port}`,
      GITHUB_REPOSITORY: this.repository,
      GITHUB_TOKEN: TOKEN,
    };
  }

  /** A comment or an issue by this user. */
  written(login: string, body: string, on?: string): Written {
    const id = 1 + this.comments.length + this.issues.length;
    return { id, number: id, user: { login }, body, on };
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private async answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://double");
    const path = url.pathname.replace(`/repos/${this.repository}`, "");
    const method = request.method ?? "";
    const body = await text(request);
    const isKnown = request.headers.authorization === `Bearer ${TOKEN}` && path !== url.pathname;
    if (isKnown && method !== "GET") this.changes.push(`${method} ${path}`);
    const answer = isKnown ? this.find(method, path, url.searchParams, body) : undefined;
    response.writeHead(answer === undefined ? (isKnown ? 404 : 401) : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? { message: isKnown ? "Not Found" : "Bad credentials" }));
  }

  private find(method: string, path: string, query: URLSearchParams, body: string): unknown {
    const [, list, number, sub] = /^\/(pulls|issues)(?:\/(\w+))?(?:\/(\w+))?$/.exec(path) ?? [];
    const fields = (body === "" ? {} : JSON.parse(body)) as Partial<Written>;
    if (method === "GET" && list === "pulls") {
      const found = this.pullRequests.find((each) => `${each.number}` === number);
      const base = { repo: { full_name: this.repository } };
      return found && { number: found.number, head: { sha: found.sha, repo: { full_name: found.from } }, base };
    }
    if (method === "PATCH" && number === "comments") return this.patch(this.comments, sub, fields);
    if (method === "PATCH") return this.patch(this.issues, number, fields);
    if (method === "GET")
      return page(sub === "comments" ? this.comments.filter(({ on }) => on === number) : this.matching(query), query);
    const made = this.written("github-actions[bot]", fields.body ?? "", number);
    if (sub === "comments") this.comments.push(made);
    else this.issues.push(Object.assign(made, { title: fields.title, state: "open" }));
    return made;
  }

  private matching(query: URLSearchParams): Written[] {
    return this.issues.filter(({ state, user }) => state === query.get("state") && user.login === query.get("creator"));
  }

  private patch(list: Written[], id: string | undefined, fields: Partial<Written>): Written | undefined {
    const found = list.find((each) => `${each.id}` === id);
    return found && Object.assign(found, fields);
  }
}

function page(list: readonly Written[], query: URLSearchParams): Written[] {
  const [size, at] = [Number(query.get("per_page")), Number(query.get("page"))];
  return list.slice((at - 1) * size, at * size);
}
