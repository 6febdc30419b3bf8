import { Lab } from "../support/lab";

/* `node rebuild NODE` in a lab: one worker gets a new machine and a new Node; everything else stays. */

const lab = new Lab("rebuild");
const [SERVER, WORKER, OTHER] = [100, 102, 103];
const NODE = "k3s-worker-01";
const OTHERS = { "k3s-master": SERVER, "k3s-worker-02": OTHER };

/** What differs for a new machine, and for a new Node. */
async function identityOf(
  name: string,
  vmid: number,
): Promise<Record<"node" | "machine" | "hostKey" | "boot", string>> {
  const [machine = "", hostKey = "", boot = ""] = (
    await lab.inGuest(
      vmid,
      "cat /etc/machine-id; cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub; cut -d' ' -f22 /proc/1/stat",
    )
  ).split("\n");
  const node = await lab.kubectl("get", "node", name, "-o", "jsonpath={.metadata.uid}");
  return { node, machine, hostKey, boot };
}
const others = (): Promise<unknown[]> =>
  Promise.all(Object.entries(OTHERS).map(([name, vmid]) => identityOf(name, vmid)));

beforeAll(async () => {
  await lab.down();
  await lab.up();
  await lab.pulumiOk("up", "--yes", "--skip-preview");
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);
jest.setTimeout(600_000);

it("replaces the machine and the Node of this worker, and touches no other", async () => {
  const [before, untouched] = [await identityOf(NODE, WORKER), await others()];
  await lab.inGuest(WORKER, "echo mine >/root/left-behind");
  const { code, stdout, stderr } = await lab.cluster("node", "rebuild", NODE, "--stack", lab.stack, "--yes");
  expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);

  const after = await identityOf(NODE, WORKER);
  for (const part of ["node", "hostKey", "boot"] as const) expect(after[part]).not.toBe(before[part]);
  expect(await lab.inGuest(WORKER, "ls /root")).not.toContain("left-behind");
  expect(await others()).toEqual(untouched);
  const nodes = await lab.kubectl("get", "nodes", "--no-headers");
  expect(
    nodes
      .trim()
      .split("\n")
      .map((line) => line.split(/\s+/).slice(0, 2)),
  ).toEqual([...["k3s-master", NODE, "k3s-worker-02"].map((name) => [name, "Ready"])]);
  await lab.pulumiOk("preview", "--expect-no-changes");
});

it("refuses a node that does not exist, and lists those that do", async () => {
  const { code, stderr } = await lab.cluster("node", "rebuild", "k3s-worker-09", "--stack", lab.stack, "--yes");
  expect([code, stderr]).toEqual([
    1,
    "error: the cluster has no node k3s-worker-09\nnext:  name one of its nodes: k3s-master, k3s-worker-01, k3s-worker-02\n",
  ]);
});
