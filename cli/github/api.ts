import { z } from "zod";

import { advice } from "../../remote/advice";

/** GitHub's REST API for one repository, as a workflow's environment names it. */
export class GitHubApi {
  private constructor(
    private readonly url: string,
    private readonly repository: string,
    private readonly token: string,
  ) {}

  /** @throws Error that names a missing variable */
  static fromEnvironment(env: NodeJS.ProcessEnv = process.env): GitHubApi {
    const value = (name: string): string => {
      const text = env[name] ?? "";
      if (text === "") throw new Error(advice(`${name} is not set`, `set ${name}; docs/ci.md says to what`));
      return text;
    };
    const url = env["GITHUB_API_URL"] || "https://api.github.com";
    return new GitHubApi(url, value("GITHUB_REPOSITORY"), value("GITHUB_TOKEN"));
  }

  /**
   * @param path below the repository, `/issues/7`
   * @throws Error with what GitHub answered
   */
  async ask<T>(form: z.ZodType<T>, method: "GET" | "POST" | "PATCH", path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.url}/repos/${this.repository}${path}`, {
      method,
      headers: {
        accept: "application/vnd.github+json",
        authorization: `Bearer ${this.token}`,
        "x-github-api-version": "2022-11-28",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) {
      const problem = `GitHub answers ${method} ${path} with ${response.status}: ${text.slice(0, 300)}`;
      throw new Error(advice(problem, "check the token's permissions in the workflow; docs/ci.md lists them"));
    }
    return form.parse(JSON.parse(text));
  }

  /** All pages of a list. */
  async list<T>(form: z.ZodType<T>, path: string): Promise<T[]> {
    const all: T[] = [];
    const separator = path.includes("?") ? "&" : "?";
    for (let page = 1; ; page++) {
      const some = await this.ask(z.array(form), "GET", `${path}${separator}per_page=${PAGE}&page=${page}`);
      all.push(...some);
      if (some.length < PAGE) return all;
    }
  }
}

/** The most that GitHub puts on a page. */
const PAGE = 100;

/** GitHub accepts 65,536 characters. */
const LONGEST = 65_000;

/** The author of everything that is written with a workflow's own token. */
export const WORKFLOW_AUTHOR = "github-actions[bot]";

/** The first line of our texts, by which a later run finds them; GitHub does not show it. */
const marker = (key: string): string => `<!-- proxmox-k3s ${key} -->`;

/** The text with its marker, cut to the length that GitHub accepts. */
export function marked(key: string, text: string): string {
  const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n\nThe rest was cut off: it is too long.` : text;
  return `${marker(key)}\n${cut}`;
}

export const written = z.looseObject({
  body: z.string().nullish(),
  user: z.looseObject({ login: z.string() }).nullish(),
});

/** Whether the text is ours. Anybody may write a marker, so the author is checked too. */
export const isOurs = ({ body, user }: z.infer<typeof written>, key: string): boolean =>
  user?.login === WORKFLOW_AUTHOR && (body ?? "").startsWith(`${marker(key)}\n`);
