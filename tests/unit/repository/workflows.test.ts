import * as fs from "node:fs";
import * as path from "node:path";

import { readWorkflow, type Step, WORKFLOWS } from "../../support/doubles/workflowRunner";

/* What a workflow may do, and whose code it runs, read from the files. */

const files = fs.readdirSync(WORKFLOWS);
const workflows = files.map((file) => [file, readWorkflow(file)] as const);
const steps = (file: string): Step[] => Object.values(readWorkflow(file).jobs).flatMap((job) => job.steps);

test("there are four", () => {
  expect(files.sort()).toEqual(["preview-comment.yml", "preview.yml", "status.yml", "up.yml"]);
});

test.each(files)("%s uses actions by their commit, and names their version", (file) => {
  const text = fs.readFileSync(path.join(WORKFLOWS, file), "utf8");
  const lines = text.split("\n").filter((line) => line.includes("uses:"));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).toMatch(/^ +- uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

test("an action has the same commit everywhere", () => {
  const all = files.flatMap((file) => steps(file).flatMap(({ uses }) => uses ?? []));
  const actions = new Set(all.map((uses) => uses.split("@")[0]));
  expect(new Set(all).size).toBe(actions.size);
});

test("each has the permissions that it needs, and no more", () => {
  expect(Object.fromEntries(workflows.map(([file, { permissions }]) => [file, permissions]))).toEqual({
    "preview.yml": { contents: "read" },
    "preview-comment.yml": { contents: "read", actions: "read", "pull-requests": "write" },
    "status.yml": { contents: "read", issues: "write" },
    "up.yml": { contents: "read" },
  });
  for (const [, { jobs }] of workflows) for (const job of Object.values(jobs)) expect(job.permissions).toBeUndefined();
});

test("none runs a pull request's code with a token that can write", () => {
  for (const [file, { on, permissions }] of workflows) {
    expect(Object.keys(on)).not.toContain("pull_request_target");
    if ("pull_request" in on) expect([file, Object.values(permissions ?? {})]).toEqual([file, ["read"]]);
    if (!("workflow_run" in on)) continue;
    const checkouts = steps(file).filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkouts.map((step) => step.with?.["ref"])).toEqual(["${{ github.event.repository.default_branch }}"]);
  }
});

test("no checkout keeps a token", () => {
  const checkouts = files.flatMap(steps).filter(({ uses }) => uses?.startsWith("actions/checkout@"));
  expect(checkouts.length).toBe(files.length);
  for (const step of checkouts) expect(step.with?.["persist-credentials"]).toBe(false);
});

test("no script contains an expression: other people's text comes from the environment", () => {
  const scripts = files.flatMap((file) => steps(file).flatMap(({ run }) => run ?? []));
  expect(scripts.length).toBeGreaterThan(8);
  for (const script of scripts) expect(script).not.toContain("${{");
});

test("all use the same stack, whose file is in the repository", () => {
  const stacks = new Set(workflows.map(([, { env }]) => env?.["STACK"]));
  expect([...stacks].map((stack) => fs.existsSync(path.join(WORKFLOWS, `../../Pulumi.${stack}.yaml`)))).toEqual([true]);
});

test("an up needs an approval, and its result is checked", () => {
  const [job] = Object.values(readWorkflow("up.yml").jobs);
  expect(job?.environment).toBe("production");
  const [up, after] = job!.steps.flatMap(({ run }) => (run?.startsWith("pulumi") ? [run] : []));
  expect([up, after]).toEqual([
    expect.stringMatching(/^pulumi up .*--yes/),
    expect.stringMatching(/^pulumi preview .*--expect-no-changes/),
  ]);
});

test("the comment's workflow names the preview's workflow", () => {
  const { on } = readWorkflow("preview-comment.yml");
  expect(on["workflow_run"]).toEqual({ workflows: [readWorkflow("preview.yml").name], types: ["completed"] });
});
