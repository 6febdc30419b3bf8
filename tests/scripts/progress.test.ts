import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/* The report of a node's onboarding, written by a real `sh` in a scratch folder. */

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "progress-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

const STEPS = [
  ...["packages_installed", "iscsi_enabled", "k3s_installed"],
  ...["cluster_joined", "node_labeled", "health_check_ready"],
];

interface Step {
  readonly state: string;
  readonly time: string;
  readonly message: string;
}

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(path.join(scratch, "node-"));
  fs.mkdirSync(path.join(root, "work"));
});

/** A task that reports; the paths of the report and of the node's tokens are below the scratch folder. */
function task(text: string) {
  const parts = ["lib/task", "lib/progress", "lib/doing"].map((part) => fs.readFileSync(`scripts/${part}.sh`, "utf8"));
  const script = [...parts, text]
    .join("\n")
    .replaceAll("/opt/k3s-onboarding", `${root}/opt/k3s`)
    .replaceAll("/var/lib/proxmox-k3s", `${root}/state`)
    .replaceAll("/etc/rancher/k3s", `${root}/k3s`);
  const env = { PATH: process.env["PATH"], NAME: "node-1", STEP: "node-1-k3s", WORK: `${root}/work` };
  return { script, env: { ...env, RUNNER: String(process.pid), LOG: `${root}/log` } };
}
function run(text: string): number | null {
  const { script, env } = task(text);
  const log = fs.openSync(path.join(root, "log"), "w");
  const { status } = spawnSync("sh", ["-c", script], { stdio: ["ignore", log, log], env });
  fs.closeSync(log);
  return status;
}

const read = (file: string): string => fs.readFileSync(path.join(root, "opt/k3s", file), "utf8");
const status = () => JSON.parse(read("status.json")) as { node: string; steps: Record<string, Step> };
const states = (): string[] => STEPS.map((step) => status().steps[step]!.state);

it("has all steps in their order, each with state, time and message, and everybody can read it", () => {
  run(
    `progress packages_installed done "jq, curl" iscsi_enabled skipped "not asked for"\ndoing k3s_installed installing`,
  );
  const { node, steps } = status();
  expect([node, Object.keys(steps)]).toEqual(["node-1", STEPS]);
  expect(states()).toEqual(["done", "skipped", "running", "pending", "pending", "pending"]);
  expect(steps["packages_installed"]).toEqual({
    state: "done",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
    message: "jq, curl",
  });
  expect(steps["node_labeled"]).toEqual({ state: "pending", time: "", message: "" });
  for (const file of ["status.json", "onboarding.log"])
    expect(fs.statSync(path.join(root, "opt/k3s", file)).mode & 0o777).toBe(0o644);
  for (const folder of ["opt", "opt/k3s"]) expect(fs.statSync(path.join(root, folder)).mode & 0o777).toBe(0o755);
});

it("keeps a line of each report in the log", () => {
  run(`doing k3s_installed "installing K3s"`);
  run(`progress k3s_installed done "K3s v1.36.3+k3s1"`);
  expect(read("onboarding.log").replaceAll(/^\S+Z/gm, "TIME")).toBe(
    "TIME k3s_installed running: installing K3s\nTIME k3s_installed done: K3s v1.36.3+k3s1\n",
  );
});

it("is valid JSON for any message", () => {
  run(String.raw`progress k3s_installed failed "$(printf 'a "quoted" \\ path,\n\ttwo lines, \001 and ü"},')"`);
  expect(status().steps["k3s_installed"]!.message).toBe(`a 'quoted' / path,  two lines, ? and ??'},`);
  // The next report can still read it.
  run(`progress node_labeled done "2 labels"`);
  expect([states()[2], states()[4]]).toEqual(["failed", "done"]);
});

describe("a task that fails", () => {
  it("says so at its step, with its cause and the next command", () => {
    expect(
      run(`doing k3s_installed installing\necho "error: not this one"\nfail "no luck:\n  - here" "try again"`),
    ).toBe(1);
    expect(status().steps["k3s_installed"]).toMatchObject({
      state: "failed",
      message: "no luck: - here next: try again",
    });
  });

  it("says so too if it ends without output", () => {
    expect(run(`doing cluster_joined starting\nfalse`)).toBe(1);
    expect(status().steps["cluster_joined"]!.message).toBe("it was interrupted (exit code 1); pulumi up continues it");
  });

  it.each([
    ["runs on", 0, "done", "still runs; the last change was refused: no luck next: try again"],
    ["does not run", 3, "failed", "no luck next: try again"],
  ])("says what the node does if it has joined before and %s", (_, code, state, message) => {
    fs.mkdirSync(path.join(root, "state"));
    fs.writeFileSync(path.join(root, "state/started"), "");
    run(`systemctl() { return ${code}; }\ndoing cluster_joined starting\nfail "no luck" "try again"`);
    expect(status().steps["cluster_joined"]).toMatchObject({ state, message });
  });

  it("does not say so if it succeeds", () => {
    expect(run(`doing cluster_joined starting\nprogress cluster_joined done "k3s runs"`)).toBe(0);
    expect(status().steps["cluster_joined"]!.state).toBe("done");
  });
});

it.each([
  ["what the step was given", "work/secret.TOKEN"],
  ["what is on the node", "k3s/agent-token"],
])("shows no secret: %s", (_, file) => {
  fs.mkdirSync(path.join(root, "k3s"));
  fs.writeFileSync(path.join(root, file), "hunter2hunter2\n");
  run(`doing k3s_installed installing\nfail "K3s says: bad token hunter2hunter2" "look"`);
  for (const text of [read("status.json"), read("onboarding.log")]) {
    expect(text).not.toContain("hunter2");
    expect(text).toContain("not shown, because it holds a secret");
  }
});

it("stays complete if two processes report at the same time", async () => {
  const { script, env } = task(`progress "$1" done "$2"`);
  await Promise.all(
    STEPS.map(
      (step, at) =>
        new Promise((ended) => spawn("sh", ["-c", script, "sh", step, `number ${at}`], { env }).on("close", ended)),
    ),
  );
  expect(STEPS.map((step) => status().steps[step]!.message)).toEqual(STEPS.map((_, at) => `number ${at}`));
});

it("a kill during a write leaves the last report, and the next one is complete", () => {
  run(`progress packages_installed done "jq"`);
  const before = read("status.json");
  // The kill comes when the new file is complete, before it replaces the other one.
  run(`mv() { kill -9 $$; exit 9; }\nprogress k3s_installed done "K3s"`);
  expect(read("status.json")).toBe(before);
  run(`progress k3s_installed done "K3s"`);
  expect(states().slice(0, 3)).toEqual(["done", "pending", "done"]);
});

it("never fails its task: on a full disk, or if its folder cannot be created", () => {
  fs.writeFileSync(path.join(root, "opt"), "a file");
  expect(run(`progress k3s_installed done "K3s"\ntouch "${root}/went-on"`)).toBe(0);
  expect(fs.existsSync(path.join(root, "went-on"))).toBe(true);
  fs.rmSync(path.join(root, "opt"));
  run(`progress packages_installed done "jq"`);
  const before = read("status.json");
  // awk writes what still fits on the disk.
  expect(run(`awk() { printf '{\\n  "node"'; return 2; }\nprogress k3s_installed done "K3s"`)).toBe(0);
  expect(read("status.json")).toBe(before);
});

it("a damaged report is replaced by a new one", () => {
  run(`progress packages_installed done "jq"`);
  fs.writeFileSync(path.join(root, "opt/k3s/status.json"), '{"steps": [1, 2');
  run(`progress k3s_installed done "K3s"`);
  expect(states().slice(0, 3)).toEqual(["pending", "pending", "done"]);
});
