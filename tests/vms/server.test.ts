import type { LabStatus } from "../../lab/commands/status";
import { vmTemplateId } from "../../lab/vms/vmTemplate";
import { Lab } from "../support/lab";
import { succeeded } from "../support/succeeded";

/*
 * A cluster whose server is a virtual machine: every step that asks a server asks a real one by its guest agent. Its agent is a
 * container, unlike in program.test.ts.
 */

const lab = new Lab("vmserver");
const minutes = (count: number) => count * 60_000;
const [SERVER, AGENT] = ["k3s-server-1", "k3s-worker-01"];

beforeAll(async () => {
  await lab.down();
  await lab.up("--vms");
  lab.edit(({ pools }) => {
    const { vm, master } = pools;
    delete pools.vm;
    pools.master = { ...vm, role: "server", hostname: "k3s-server-{0}", addresses: master.addresses };
  });
}, minutes(40));
afterAll(() => lab.down(), minutes(2));

const status = async (): Promise<LabStatus> => JSON.parse((await lab.cli("status", "--json")).stdout) as LabStatus;
const readyNodes = async (): Promise<string[]> =>
  (await status()).nodes.filter(({ ready }) => ready).map(({ name }) => name);

it(
  "starts with its agent, and a pod runs",
  async () => {
    succeeded(await lab.pulumiResult("up", "--yes", "--skip-preview"));
    expect(await readyNodes()).toEqual([SERVER, AGENT]);
    await lab.kubectl("apply", "-f", "lab/demo/hello.yaml");
    await lab.kubectl("rollout", "status", "deployment/hello", "--timeout=300s");
    await lab.pulumiOk("up", "--yes", "--skip-preview", "--expect-no-changes");
  },
  minutes(30),
);

it(
  "status reads it by the guest agent of the server's machine",
  async () => {
    const { code, stdout } = await lab.cluster("status", "--stack", lab.stack);
    expect([code, stdout]).toEqual([0, expect.stringContaining(SERVER)]);
  },
  minutes(5),
);

it(
  "its agent leaves: the drain and the deletion of the Node go through the virtual machine",
  async () => {
    // Its pods cannot run on another node, so their disruption budget would block the drain.
    await lab.kubectl("delete", "-f", "lab/demo/hello.yaml", "--timeout=120s");
    lab.edit(({ pools }) => (pools.worker.count = 0));
    succeeded(await lab.pulumiResult("up", "--yes", "--skip-preview"));
    expect(await readyNodes()).toEqual([SERVER]);
  },
  minutes(10),
);

it(
  "destroy leaves only the template",
  async () => {
    await lab.pulumiOk("destroy", "--yes", "--skip-preview");
    expect((await status()).guests.filter(({ vmid }) => vmid !== vmTemplateId)).toEqual([]);
    expect(await lab.host("ls /var/lib/vms/local-lvm; pgrep -c qemu-system || true")).toBe(`${vmTemplateId}\n0\n`);
  },
  minutes(10),
);
