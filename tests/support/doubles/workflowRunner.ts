import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";

export interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, string | number | boolean>>;
}
export interface Job {
  readonly if?: string;
  readonly "runs-on": string;
  readonly environment?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}
export interface Workflow {
  readonly name: string;
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

export const WORKFLOWS = path.join(__dirname, "../../../.github/workflows");

export const readWorkflow = (file: string): Workflow =>
  parse(fs.readFileSync(path.join(WORKFLOWS, file), "utf8")) as Workflow;

/** The value of each expression of GitHub: "github.event.number" → "7". A condition is "true" or "". */
export type Expressions = Readonly<Record<string, string>>;

export interface Ran {
  /** Exit code of each `run` step that ran, by its name. */
  readonly codes: Readonly<Record<string, number>>;
  readonly output: string;
}

/**
 * A double of GitHub's runner. It runs the `run` steps of a workflow's only job with their environment, in order. After a failure it
 * runs only the steps that run unless the workflow is cancelled. It does not run actions, nor `npm ci`.
 * @param folder the checkout
 * @param expressions every expression that a step of the run needs
 */
export async function playWorkflow(
  file: string,
  folder: string,
  expressions: Expressions,
  env: NodeJS.ProcessEnv,
): Promise<Ran> {
  const workflow = readWorkflow(file);
  const [job] = Object.values(workflow.jobs);
  const outputs: Record<string, string> = {};
  const value = (expression: string): string => {
    const known = { ...expressions, ...outputs }[expression];
    if (known === undefined) throw new Error(`${file}: the test has no value for ${expression}`);
    return known;
  };
  const filled = (values: Readonly<Record<string, string>> = {}): Record<string, string> =>
    Object.fromEntries(
      Object.entries(values).map(([name, text]) => [
        name,
        text.replace(/\$\{\{ *(.*?) *\}\}/g, (_, expression: string) => value(expression)),
      ]),
    );
  const codes: Record<string, number> = {};
  let output = "";
  let hasFailed = false;
  for (const { name = "", id, if: condition = "", run, env: own } of job?.steps ?? []) {
    if (run === undefined || run.startsWith("npm ci")) continue;
    const always = condition === "${{ !cancelled() }}";
    if (always ? false : hasFailed || (condition !== "" && !holds(condition, value))) continue;
    const outputFile = path.join(folder, `.output-${Object.keys(codes).length}`);
    fs.writeFileSync(outputFile, "");
    const stepEnv = { ...env, ...filled(workflow.env), ...filled(job?.env), ...filled(own), GITHUB_OUTPUT: outputFile };
    const { code, said } = await shell(run, folder, stepEnv);
    for (const [, key, text] of fs.readFileSync(outputFile, "utf8").matchAll(/^(\w+)=(.*)$/gm))
      outputs[`steps.${id}.outputs.${key}`] = text ?? "";
    codes[name] = code;
    output += said;
    hasFailed ||= code !== 0;
  }
  return { codes, output };
}

/** Only `a == 'b'` and `a != 'b'`: the workflows use no other conditions. */
function holds(condition: string, value: (expression: string) => string): boolean {
  const [, expression = "", sign, wanted] = /^([\w.]+) (==|!=) '(\w*)'$/.exec(condition) ?? [];
  if (expression === "") throw new Error(`the runner's double does not know this condition: ${condition}`);
  return (value(expression) === wanted) === (sign === "==");
}

/** As GitHub runs a step without `shell`. */
function shell(script: string, cwd: string, env: NodeJS.ProcessEnv): Promise<{ code: number; said: string }> {
  const child = spawn("bash", ["-e", "-c", script], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (said += data.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (code) => resolve({ code: code ?? -1, said }));
  });
}
