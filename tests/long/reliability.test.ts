import * as fs from "node:fs";
import * as path from "node:path";

import { clearFaults, setFault } from "../../lab/commands/fault";
import { labPaths, runningLab } from "../../lab/lab";
import { hostShell } from "../reliability/hostShell";
import { machines } from "../reliability/machines";
import type { Row } from "../reliability/row";
import { expectRows } from "../reliability/strike";
import { eventually, Lab, logOf } from "../support/lab";
import { LabApi } from "../support/labApi";
import type { PulumiResult } from "../support/pulumiResult";

/**
 * The rows of docs/reliability.md about faults of real machines and a real network: one lab, from the first `up` to `destroy`.
 * The tests build on each other; the first failure is the one to read.
 */

const lab = new Lab("reliability");
const api = new LabApi(lab);
const paths = labPaths(lab.name);
const MASTER = { node: "k3s-master", vmid: 100 };
const MUTE = { node: "k3s-worker-01", vmid: 102 };
const DYING = { node: "k3s-worker-02", vmid: 103 };
const CUT_OFF = { node: "k3s-worker-03", vmid: 104 };
const UNREADY = { node: "k3s-worker-04", vmid: 105 };
const KEYLESS = { node: "k3s-worker-05", vmid: 106 };
const UNSERVED = { node: "k3s-worker-06", vmid: 107 };
const ALL = [MASTER, MUTE, DYING, CUT_OFF, UNREADY, KEYLESS, UNSERVED];
const COUNT = "proxmox-k3s:cluster.pools.worker.count";
const ARTIFACTS = "proxmox-k3s:cluster.k3s.artifacts";

beforeAll(async () => {
  await lab.down();
  await lab.up();
}, 20 * 60_000);
afterAll(() => lab.down(), 120_000);

/** One node's steps do not wait for another's, so one failure hides no other. */
const run = (command: string, ...flags: string[]): Promise<PulumiResult> =>
  lab.pulumiResult(command, "--yes", "--skip-preview", "--continue-on-error", ...flags);

/** Sets a row's fault, for one guest if the fault is for one. */
const fault = ({ set }: Row, guest?: number) =>
  setFault(runningLab(lab.name), { ...set, ...(guest !== undefined && { guest }) });
const clear = () => clearFaults(runningLab(lab.name));

interface Status {
  guests: { vmid: number; status: string }[];
  nodes: { name: string; ready: boolean }[];
}
const status = async (): Promise<Status> => JSON.parse((await lab.cli("status", "--json")).stdout) as Status;

/** VMIDs of the containers in the state. */
async function managed(): Promise<number[]> {
  const { resources = [] } = JSON.parse(await lab.pulumiOk("stack", "export")).deployment as {
    resources?: { type: string; inputs: { vmId: number } }[];
  };
  const containers = resources.filter(({ type }) => type === "proxmoxve:index/containerLegacy:ContainerLegacy");
  return containers.map(({ inputs }) => inputs.vmId).sort();
}

/** A pod on the node, and a disruption budget that forbids its eviction. */
async function blockDrain(node: string): Promise<void> {
  const image = ["--image=docker.io/library/lab-test:1", "--image-pull-policy=Never", "--labels=app=held"];
  await lab.kubectl("run", "held", ...image, "--overrides", JSON.stringify({ spec: { nodeName: node } }));
  await lab.kubectl("create", "poddisruptionbudget", "held", "--selector=app=held", "--min-available=1");
  await lab.kubectl("wait", "--for=condition=Ready", "pod/held", "--timeout=60s");
}

async function expectNodes(...nodes: readonly { node: string; vmid: number }[]): Promise<void> {
  const { guests, nodes: seen } = await status();
  expect(guests.map(({ vmid, status: state }) => [vmid, state])).toEqual(nodes.map(({ vmid }) => [vmid, "running"]));
  expect(seen).toMatchObject(nodes.map(({ node }) => ({ name: node, ready: true })));
  expect(await managed()).toEqual(nodes.map(({ vmid }) => vmid));
}

test("an up in which everything fails: each error says what, where, why and what next, and nothing is lost", async () => {
  await lab.pulumiOk("config", "set", "--path", "proxmox-k3s:cluster.k3s.startTimeout", "90s");
  await fault(machines.late);
  await fault(machines.nameless);
  await fault(machines.mute, MUTE.vmid);
  const running = run("up");
  // The fault comes between its creation and the restart with the options that only root may write.
  const conf = path.join(paths.etcPve, "nodes/pve/lxc", `${DYING.vmid}.conf`);
  await eventually(120, async () => fs.existsSync(conf) && /^lxc\./m.test(fs.readFileSync(conf, "utf8")));
  await fault(machines.dying, DYING.vmid);
  expectRows(
    [
      { row: machines.mute, ...MUTE },
      { row: machines.dying, ...DYING },
      { row: machines.nameless, ...MASTER },
      { row: machines.late, ...MASTER },
    ],
    await running,
    lab.stack,
  );
  expect(await managed()).toEqual([100, 102, 103]);
}, 400_000);

test("once all causes are fixed, the next up matches the plan, and a further one changes nothing", async () => {
  await clear();
  await lab.host(`pct reboot ${MUTE.vmid}`);
  const up = await run("up");
  expect([up.code, up.errors]).toEqual([0, []]);
  await expectNodes(MASTER, MUTE, DYING);
  expect((await run("up")).changes).toEqual({});
}, 300_000);

test("new nodes whose machines die at different steps", async () => {
  await lab.pulumiOk("config", "set", "--path", COUNT, "5");
  const running = run("up");
  const unready = lab.dieAtStep(`${UNREADY.node}-ready`, `ready-${UNREADY.vmid}`, UNREADY.vmid);
  const keyless = lab.dieAtStep(
    `${KEYLESS.node}-host-key`,
    `guest-${KEYLESS.vmid}`,
    KEYLESS.vmid,
    `${KEYLESS.node}-lxc`,
  );
  await lab.atK3sStep(CUT_OFF.node, CUT_OFF.vmid, `pct stop ${CUT_OFF.vmid}`);
  // This keeps the machine from starting again.
  await fault(machines.cutOff, CUT_OFF.vmid);
  await lab.host(`pct start ${CUT_OFF.vmid}`);
  await Promise.all([unready, keyless]);
  expectRows(
    [
      { row: machines.cutOff, ...CUT_OFF },
      { row: machines.unready, ...UNREADY },
      { row: machines.keyless, ...KEYLESS },
    ],
    await running,
    lab.stack,
  );
  expect(await managed()).toEqual([100, 102, 103, 104, 105, 106]);
  await clear();
  const up = await run("up", "--refresh");
  expect([up.code, up.errors]).toEqual([0, []]);
  await expectNodes(MASTER, MUTE, DYING, CUT_OFF, UNREADY, KEYLESS);
  expect((await run("up")).changes).toEqual({});
}, 500_000);

test("a new node whose only server dies while it joins", async () => {
  await lab.pulumiOk("config", "set", "--path", COUNT, "6");
  const running = run("up");
  await lab.atK3sStep(UNSERVED.node, UNSERVED.vmid, `pct stop ${MASTER.vmid}`);
  expectRows([{ row: machines.unserved, ...UNSERVED }], await running, lab.stack);
  const up = await run("up", "--refresh");
  expect([up.code, up.errors]).toEqual([0, []]);
  await expectNodes(...ALL);
  expect((await run("up")).changes).toEqual({});
}, 500_000);

test("a scale down without SSH to the host removes nothing", async () => {
  await fault(machines.gone, DYING.vmid);
  await api.task("POST", `/nodes/pve/lxc/${DYING.vmid}/status/reboot`);
  await eventually(15, async () => (await status()).guests[2]?.status === "stopped");
  await lab.pulumiOk("config", "set", "--path", COUNT, "1");
  const [preflight] = hostShell["when a worker is to go"];
  await fault(preflight);
  // Removals do not wait for the check of the host: each leave fails as well.
  const [leave] = hostShell["once the host was looked at again"];
  const leaves = ALL.filter((each) => each !== MASTER && each !== MUTE).map((each) => ({ row: leave, ...each }));
  expectRows([{ row: preflight, ...MASTER }, ...leaves], await run("up"), lab.stack);
  expect(await managed()).toEqual(ALL.map(({ vmid }) => vmid));
  await clear();
}, 200_000);

test("a node whose machine is dead still leaves, and so does one whose machine dies during the drain", async () => {
  await blockDrain(CUT_OFF.node);
  const running = run("up");
  await lab.until(`grep -q "disruption budget" ${logOf(`${CUT_OFF.node}-leave`)} 2>/dev/null`);
  await lab.host(`pct stop ${CUT_OFF.vmid}`);
  const up = await running;
  const both = [
    { row: machines.gone, ...DYING },
    { row: machines.drained, ...CUT_OFF },
  ];
  expectRows(both, up, lab.stack);
  expect([up.code, up.errors]).toEqual([0, []]);
  await expectNodes(MASTER, MUTE);
}, 200_000);

test("checksums that are not pinned cannot be read: no node is touched", async () => {
  const setUrl = (url: string) => lab.pulumiOk("config", "set", "--path", `${ARTIFACTS}.baseUrl`, url);
  // Without known checksums a release must come over HTTPS. The host trusts the mirror, as after an administrator's set-up.
  const trusted = "/usr/local/share/ca-certificates/mirror.crt";
  await lab.host(
    `mkdir -p ${path.dirname(trusted)} && cp /etc/pve/pve-root-ca.pem ${trusted} && update-ca-certificates`,
  );
  const url = "https://pve:8443/k3s";
  await setUrl(url);
  expect((await run("up")).code).toBe(0);
  await lab.pulumiOk("config", "rm", "--path", `${ARTIFACTS}.sha256`);
  // The host resolves its own name without DNS.
  await setUrl("https://releases.lab:8443/k3s");
  await fault(machines.sumless);
  expectRows([{ row: machines.sumless, ...MASTER }], await run("up"), lab.stack);
  await clear();
  await setUrl(url);
  const up = await run("up");
  expect([up.code, up.changes]).toEqual([0, { [`${lab.stack}-release-sums`]: ["create"] }]);
  await expectNodes(MASTER, MUTE);
}, 300_000);

test("a destroy leaves nothing", async () => {
  expect((await run("destroy")).code).toBe(0);
  expect((await status()).guests).toEqual([]);
  expect(await managed()).toEqual([]);
}, 200_000);
