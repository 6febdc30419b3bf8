import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse, stringify } from "yaml";

import { GitHubDouble } from "../support/doubles/githubApi";
import { playWorkflow, type Ran } from "../support/doubles/workflowRunner";
import { PROGRAM_FOLDERS } from "../support/homelab";

/*
 * The workflows with their own scripts in a checkout, and doubles of GitHub's runner and API. The preview is compared with the base
 * branch's file; tests/engine/previewCommand.test.ts shows that it reads the stack's state.
 */

jest.setTimeout(240_000);

const REPO = path.join(__dirname, "../..");
const STACK_FILE = "Pulumi.homelab.yaml";

let folder: string;
let base: string;
let github: GitHubDouble;

const checkout = (): string => path.join(folder, "checkout");
const git = (...args: string[]): string =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", ...args], {
    cwd: checkout(),
    encoding: "utf8",
  }).trim();
const commit = (): string => {
  git("add", "-A");
  git("commit", "--quiet", "--allow-empty", "-m", "change");
  return git("rev-parse", "HEAD");
};

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "pull-request-"));
  fs.mkdirSync(checkout());
  for (const file of ["Pulumi.yaml", "package.json", "tsconfig.json", STACK_FILE, ...PROGRAM_FOLDERS])
    fs.cpSync(path.join(REPO, file), path.join(checkout(), file), { recursive: true });
  fs.symlinkSync(path.join(REPO, "node_modules"), path.join(checkout(), "node_modules"));
  fs.writeFileSync(path.join(checkout(), ".gitignore"), "node_modules\npreview\nbase\n.output-*\n");
  git("init", "--quiet");
  base = commit();
  github = await GitHubDouble.start();
});
beforeEach(() => {
  github.changes.length = 0;
});
afterAll(async () => {
  await github?.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

// eslint-disable-next-line @typescript-eslint/no-explicit-any
function edit(change: (cluster: any) => void): string {
  const file = path.join(checkout(), STACK_FILE);
  const content = parse(fs.readFileSync(file, "utf8"));
  change(content.config["proxmox-k3s:cluster"]);
  fs.writeFileSync(file, stringify(content));
  return commit();
}

/** A push to a pull request: runs its preview, then the second workflow. */
async function push(number: number, head: string): Promise<{ preview: Ran; comment: Ran }> {
  for (const made of ["preview", "base"]) fs.rmSync(path.join(checkout(), made), { recursive: true, force: true });
  const preview = await playWorkflow(
    "preview.yml",
    checkout(),
    {
      "vars.PULUMI_BACKEND_URL": "",
      "github.event.pull_request.base.sha": base,
      "github.event.pull_request.number": `${number}`,
    },
    process.env,
  );
  fs.cpSync(path.join(checkout(), "preview"), path.join(folder, "temp/preview"), { recursive: true });
  return { preview, comment: await comment(head) };
}

/** The second workflow, with the artifact of the first. */
function comment(head: string): Promise<Ran> {
  const { GITHUB_TOKEN: token, ...env } = github.env;
  return playWorkflow(
    "preview-comment.yml",
    checkout(),
    {
      "github.token": token,
      "runner.temp": path.join(folder, "temp"),
      "github.event.workflow_run.head_sha": head,
    },
    { ...process.env, ...env },
  );
}

describe("a pull request from the repository itself", () => {
  test("gets one comment", async () => {
    // A comment by somebody else is not ours, whatever its first line is.
    github.comments.push(github.written("somebody", "<!-- proxmox-k3s preview-homelab -->\nhello", "7"));
    const head = edit(({ pools }) => (pools.worker.count = 3));
    github.pullRequests.push({ number: 7, sha: head, from: github.repository });
    const { preview, comment } = await push(7, head);
    expect([preview.codes, comment.codes]).toEqual([
      { "Preview, compared with the base branch's stack file": 0, "Whose preview it is": 0 },
      { "Write the comment, or update it": 0 },
    ]);
    expect(github.changes).toEqual(["POST /issues/7/comments"]);
    expect(github.comments.at(-1)?.body.split("\n").slice(0, 4)).toEqual([
      "<!-- proxmox-k3s preview-homelab -->",
      "### homelab: 1 × join",
      "",
      "Compared with the config in base/Pulumi.homelab.yaml alone. The cluster's state was not read.",
    ]);
  });

  test("updates its comment in place; it says what is refused, and the preview's run is red", async () => {
    const head = edit(({ network }) => (network.podCidr = "10.99.0.0/16"));
    github.pullRequests.splice(0, 1, { number: 7, sha: head, from: github.repository });
    const { preview, comment } = await push(7, head);
    expect(preview.codes).toEqual({
      "Preview, compared with the base branch's stack file": 1,
      "Whose preview it is": 0,
    });
    expect(comment.codes).toEqual({ "Write the comment, or update it": 0 });
    expect(github.changes).toEqual(["PATCH /issues/comments/2"]);
    expect(github.comments.map(({ body }) => body.split("\n")[1])).toEqual([
      "hello",
      "### homelab: refused, 1 problem",
    ]);
  });
});

test("the comment on a pull request from a fork says where it is from", async () => {
  const head = git("rev-parse", "HEAD");
  github.pullRequests.push({ number: 9, sha: head, from: "stranger/cluster" });
  fs.writeFileSync(path.join(folder, "temp/preview/number"), "9\n");
  await comment(head);
  expect(github.changes).toEqual(["POST /issues/9/comments"]);
  expect(github.comments.at(-1)?.body.split("\n")[1]).toBe(
    "> This pull request comes from a fork. The text below was made by its own code, without the cluster's state: read it as a claim of its author.",
  );
});

describe("the nightly status", () => {
  /** With a double of the command `status` that gives a set answer. */
  async function night(code: number, said: string): Promise<Ran> {
    const bin = path.join(folder, "bin");
    fs.mkdirSync(bin, { recursive: true });
    const npx = execFileSync("which", ["npx"], { encoding: "utf8" }).trim();
    const double = `#!/bin/sh\nif [ "$2" = status ]; then echo '${said}'; exit ${code}; fi\nexec ${npx} "$@"\n`;
    fs.writeFileSync(path.join(bin, "npx"), double, { mode: 0o755 });
    const { GITHUB_TOKEN: token, ...env } = github.env;
    const nothing = { "vars.PULUMI_BACKEND_URL": "", "secrets.PULUMI_ACCESS_TOKEN": "" };
    return playWorkflow(
      "status.yml",
      checkout(),
      { "github.token": token, "secrets.PULUMI_CONFIG_PASSPHRASE": "", ...nothing },
      { ...process.env, ...env, PATH: `${bin}:${process.env["PATH"]}`, RUNNER_TEMP: folder },
    );
  }

  test("opens an issue if the cluster differs", async () => {
    expect((await night(1, "k3s-worker-01 is cordoned")).codes).toMatchObject({ "Open the issue, or update it": 0 });
    expect(github.changes).toEqual(["POST /issues"]);
    expect(github.issues.map(({ title, state, body }) => [title, state, body])).toEqual([
      [
        "homelab differs from its config",
        "open",
        "<!-- proxmox-k3s status-homelab -->\n```\nk3s-worker-01 is cordoned\n```",
      ],
    ]);
  });

  test("does not change it if the cluster could not be read, and the run is red", async () => {
    expect((await night(2, "no answer")).codes).toEqual({ "Compare config, Proxmox VE and cluster": 1 });
    expect(github.changes).toEqual([]);
  });

  test("closes it once the cluster is healthy", async () => {
    expect((await night(0, "all is well")).codes).toMatchObject({ "Close the issue": 0 });
    expect(github.issues.map(({ state }) => state)).toEqual(["closed"]);
  });
});
