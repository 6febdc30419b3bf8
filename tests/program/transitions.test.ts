import { changed } from "../unit/config/support";
import { recordProgram, type Recording, stackCluster } from "../support/program";

// The program and its SDK are loaded again for each recording, on a machine that may be busy.
jest.setTimeout(60_000);

/*
 * The program reads its own state correctly, and uses it to check a change before it creates a resource. The state is what the program
 * registered before, as the test monitor returns it; tests/engine/transitions.test.ts shows that the engine answers the same.
 */

const CONTAINER = "proxmoxve:index/containerLegacy:ContainerLegacy";

let state: Record<string, unknown>;
beforeAll(async () => {
  const { resources } = await recordProgram({ preview: true });
  const description = "creation 0123456789abcdef of proxmox-k3s proxmox-k3s/homelab/homelab ab";
  state = Object.fromEntries(
    resources.map(({ urn, type, inputs }) => [
      urn,
      { type, outputs: type === CONTAINER ? { ...inputs, description } : inputs },
    ]),
  );
});

const warnings = ({ logs }: Recording): string[] =>
  logs.filter(({ severity, message }) => severity === "warn" && /^k3s-/.test(message)).map(({ message }) => message);
const run = (change: unknown): Promise<Recording> =>
  recordProgram({ cluster: changed(stackCluster(), change), state, preview: true });

it("says nothing if nothing changes", async () => {
  expect(warnings(await run({}))).toEqual([]);
});

it("says in a preview what restarts or removes a node, one line each", async () => {
  const change = { version: "v1.36.4+k3s1", pools: { worker: { count: 1, memory: "9GB" } } };
  expect(warnings(await run(change))).toEqual([
    "k3s-master: K3s restart, for its version; one node at a time",
    "k3s-worker-01: reboot, for its memory; one node at a time",
    "k3s-worker-02: drain and removal; its guest is destroyed with its disk",
  ]);
});

it("refuses what cannot be done before it creates a resource, every problem at once", async () => {
  const change = { name: "lab2", network: { podCidr: "10.99.0.0/16" }, pools: { worker: { disk: "20GB" } } };
  const refused = await run(change).then(
    () => "nothing",
    (error: Error) => error.message,
  );
  expect(refused.split("\n").map((line) => line.split(":")[0])).toEqual([
    "cluster.name",
    "cluster.network.podCidr",
    "cluster.pools.worker.disk",
    "cluster.pools.worker.disk",
  ]);
});

it("stops at a record of an unknown form", async () => {
  const urn = Object.keys(state).find((each) => each.endsWith("ContainerLegacy::k3s-worker-01"))!;
  const odd = {
    ...state,
    [urn]: { type: CONTAINER, outputs: { ...(state[urn] as { outputs: object }).outputs, vmId: "102" } },
  };
  await expect(recordProgram({ state: odd, preview: true })).rejects.toThrow(
    "the state's record of k3s-worker-01 has a form that this program does not know",
  );
});
