import type { HostGuest } from "../../../cli/recover/guests";
import { findLeftovers } from "../../../cli/recover/leftovers";
import { parseState } from "../../../cli/state";

const CREATION = "0123456789abcdef";
const URN = "urn:pulumi:s::p::a$proxmoxve:index/containerLegacy:ContainerLegacy::k3s-worker-01";

const guest = (change: Partial<HostGuest> = {}): HostGuest => ({
  ...{ vmId: 102, pveNode: "pve", kind: "lxc", lock: "", creation: CREATION, unfinished: true, name: "k3s-worker-01" },
  ...change,
});
const machine = {
  urn: URN,
  type: "proxmoxve:index/containerLegacy:ContainerLegacy",
  inputs: { vmId: 102, description: `creation ${CREATION} of proxmox-k3s p/s/c 1` },
};
const state = (deployment: object) => parseState(JSON.stringify({ version: 3, deployment }));
const EMPTY = state({});

it("finds nothing if state and host agree", () => {
  const { open, ...left } = findLeftovers(state({ resources: [machine] }), [guest({ unfinished: false })]);
  expect([open, left]).toEqual([[], { discard: [], unclear: [], begun: [], kept: [], vanished: [] }]);
});

it("names the guest with the disks of a node that is gone, and ignores that of an existing node", () => {
  const keeper = guest({ vmId: 320, kind: "vm", name: "k3s-worker-01-disks", keepsDisks: true, unfinished: false });
  expect(findLeftovers(EMPTY, [keeper])).toMatchObject({ kept: [keeper], unclear: [], discard: [] });
  const here = findLeftovers(state({ resources: [machine] }), [guest({ unfinished: false }), keeper]);
  expect(here).toMatchObject({ kept: [], unclear: [] });
});

it("destroys no guest whose description does not say yet whose it is", () => {
  const half = guest({ vmId: 110, kind: "vm", lock: "clone", name: "", begun: true, unfinished: false });
  expect(findLeftovers(EMPTY, [half])).toMatchObject({ begun: [half], unclear: [], discard: [] });
});

it.each([guest({ lock: "create" }), guest({ kind: "vm", lock: "clone" })])(
  "destroys a guest whose creation began and never finished, whatever the plan says now ($kind)",
  (found) => {
    const { open, discard } = findLeftovers(EMPTY, [found]);
    expect([open, discard]).toEqual([[], [found]]);
  },
);

it("lists pending operations", () => {
  const cutOff = state({ resources: [], pending_operations: [{ type: "creating", resource: machine }] });
  expect(findLeftovers(cutOff, []).open).toEqual([{ urn: URN, type: "creating" }]);
});

it("leaves the decision to a person for a guest whose creation is not on record as unfinished", () => {
  const found = guest({ unfinished: false });
  const left = findLeftovers(EMPTY, [found]);
  expect([left.discard, left.unclear]).toEqual([[], [found]]);
});

it("ignores a guest whose VMID is in the state, whatever else it has", () => {
  const left = findLeftovers(state({ resources: [machine] }), [guest({ name: "renamed", creation: "" })]);
  expect([left.discard, left.unclear]).toEqual([[], []]);
});

it("lists a machine in the state whose guest no longer exists", () => {
  const { vanished } = findLeftovers(state({ resources: [machine] }), []);
  expect(vanished).toEqual([{ urn: URN, name: "k3s-worker-01", vmId: 102 }]);
});
