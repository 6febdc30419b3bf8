import * as fs from "node:fs";
import * as path from "node:path";

import { findLab, labNetwork, labPaths } from "../../lab/lab";
import { eventually, Lab, sampler } from "../support/lab";
import { succeeded } from "../support/succeeded";

/*
 * A node's report about its progress while it joins: its page, its files, and the commands that read them. Also a node whose
 * `pulumi up` is killed at a step, and whose K3s is interrupted. The tests build on each other.
 */

const lab = new Lab("onboarding");
const [WORKER, SECOND] = [102, 103];

const scaleTo = (count: number): void => lab.edit(({ pools }) => (pools.worker.count = count));
const up = async (): Promise<void> => succeeded(await lab.pulumiResult("up", "--yes", "--skip-preview"));

type Steps = Readonly<Record<string, { readonly state: string; readonly message: string }>>;
/** What the node has reported; undefined before its first report. */
function reported(vmid: number): Steps | undefined {
  const root = path.join(labPaths(lab.name).lxc, String(vmid), "rootfs");
  try {
    return JSON.parse(fs.readFileSync(path.join(root, "opt/k3s-onboarding/status.json"), "utf8")).steps;
  } catch {
    return undefined;
  }
}

let address: string;

beforeAll(async () => {
  await lab.down();
  await lab.up();
  address = `${labNetwork(findLab(lab.name)!.subnet).prefix}.21`;
  lab.edit((cluster) => (cluster.onboarding = { http: true }));
  scaleTo(1);
}, 45 * 60_000);
afterAll(() => lab.down(), 120_000);

it("a node shows its steps by HTTP while it joins, and afterwards neither page nor unit is left", async () => {
  const page = (file: string): Promise<string> => lab.host(`curl -s -m 2 http://${address}:8080/${file} || true`);
  const looks = sampler(async () => ({ html: await page(""), json: await page("status.json") }));
  await up();
  const seen = await looks.stop();
  const shown = seen.filter(({ html }) => html.includes("<title>"));
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.some(({ html }) => /k3s_installed[^]*running/.test(html))).toBe(true);
  const answers = seen.flatMap(({ json }) => (json.endsWith("}\n") ? [JSON.parse(json) as { steps: Steps }] : []));
  expect(answers.some(({ steps }) => steps["k3s_installed"]!.state === "running")).toBe(true);
  await eventually(150, async () => (await page("")) === "");
  const left =
    "ls /run/systemd/system/k3s-onboarding* 2>/dev/null || true; systemctl list-units --all --no-legend 'k3s-onboarding*'";
  expect(await lab.inGuest(WORKER, left)).toBe("");
}, 400_000);

it("its files, the commands and the checks all report that it is done", async () => {
  const states = Object.fromEntries(Object.entries(reported(WORKER)!).map(([step, { state }]) => [step, state]));
  expect(states).toEqual({
    ...{ packages_installed: "skipped", iscsi_enabled: "skipped", k3s_installed: "done", cluster_joined: "done" },
    ...{ node_labeled: "done", health_check_ready: "done" },
  });
  const onboarding = await lab.cluster("onboarding");
  expect([onboarding.code, onboarding.stdout]).toEqual([0, expect.stringContaining("2 of 2 nodes are done")]);
  for (const phase of ["--before", "--during", "--after"]) {
    const { code, stdout } = await lab.cluster("check", phase);
    expect([phase, code, code === 0 ? "" : stdout]).toEqual([phase, 0, ""]);
  }
}, 120_000);

it.each(["k3s_installed", "cluster_joined"])(
  "pulumi up succeeds after a run that was killed at %s",
  async (step) => {
    scaleTo(2);
    await lab.killed(() => reported(SECOND)?.[step]?.state === "running", "up", "--yes", "--skip-preview");
    await lab.pulumiOk("cancel", "--yes");
    // The script on the node runs on; a restart ends it, as a power cut would.
    await lab.host(`pct stop ${SECOND} && pct start ${SECOND}`);
    await up();
    expect((await lab.cluster("onboarding")).code).toBe(0);
    await lab.pulumiOk("up", "--yes", "--skip-preview", "--expect-no-changes");
    scaleTo(1);
    await up();
  },
  400_000,
);

it("neither file of a node contains a secret", async () => {
  const files = await lab.inGuest(WORKER, "cat /opt/k3s-onboarding/status.json /opt/k3s-onboarding/onboarding.log");
  const token = (await lab.pulumi("stack", "output", "agentToken", "--show-secrets")).stdout.trim();
  expect(token).toMatch(/^K10/);
  expect(files).not.toContain(token.split("::").at(-1));
  expect(files).toContain("health_check_ready");
}, 60_000);
