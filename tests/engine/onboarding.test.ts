import { Homelab } from "../support/homelab";
import { succeeded } from "../support/succeeded";

/** Nodes that show their progress by HTTP, on the real engine. The tests build on each other. */

jest.setTimeout(600_000);

const [WORKER, DOWN] = [102, 103];
const SOCKET = "run/systemd/system/k3s-onboarding.socket";

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
});
afterAll(() => lab?.dispose());

const show = (http: boolean): void => lab.edit((cluster) => (cluster.onboarding = { http }));
const shows = (vmid: number): boolean => lab.machines.disk(vmid).has(SOCKET);

it("each node has its page before its K3s starts", async () => {
  show(true);
  succeeded(await lab.up());
  for (const [vmid, name] of Object.entries({ 100: "k3s-master", 102: "k3s-worker-01", 103: "k3s-worker-02" })) {
    expect([name, shows(Number(vmid))]).toEqual([name, true]);
    expect(lab.journal.inOrder(`${name}-page create`, `${name}-k3s create`)).toBe(true);
  }
});

it("a node that is down does not delay the others when the pages are switched off or on", async () => {
  await lab.machines.stop(DOWN);
  show(false);
  const off = await lab.up();
  succeeded(off);
  expect(off.changes).toMatchObject({ "k3s-worker-01-page": ["delete"], "k3s-worker-02-page": ["delete"] });
  expect(shows(WORKER)).toBe(false);
  show(true);
  const on = await lab.up();
  succeeded(on);
  expect(on.changes).toMatchObject({ "k3s-worker-01-page": ["create"], "k3s-worker-02-page": ["create"] });
});
