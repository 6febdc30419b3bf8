import type { HostGuest } from "../../../cli/host";
import { findLeftovers } from "../../../cli/leftovers";
import { parseState } from "../../../cli/state";

const CREATION = "0123456789abcdef";
const PLAN = [{ name: "k3s-worker-01", vmId: 102 }];
const URN = "urn:pulumi:s::p::a$proxmoxve:index/containerLegacy:ContainerLegacy::k3s-worker-01";

const guest = (change: Partial<HostGuest> = {}): HostGuest => ({
  ...{ vmId: 102, pveNode: "pve", kind: "lxc", lock: "", creation: CREATION, prepared: false, name: "k3s-worker-01" },
  ...change,
});
const machine = {
  urn: URN,
  type: "proxmoxve:index/containerLegacy:ContainerLegacy",
  inputs: { vmId: 102, description: `creation ${CREATION} of proxmox-k3s p/s/c 1` },
};
const state = (deployment: object) => parseState(JSON.stringify({ version: 3, deployment }));
const EMPTY = state({});

it("finds nothing where state and host agree", () => {
  const { open, ...left } = findLeftovers(state({ resources: [machine] }), [guest()], PLAN);
  expect([open, left]).toEqual([[], { discard: [], unclear: [], vanished: [] }]);
});

it("gives up a guest that has the number of an open creation, also when its node is not wanted any more", () => {
  const cutOff = state({ resources: [], pending_operations: [{ type: "creating", resource: machine }] });
  const left = findLeftovers(cutOff, [guest({ lock: "create" })], []);
  expect(left.discard).toEqual([guest({ lock: "create" })]);
  expect(left.open).toEqual([expect.objectContaining({ urn: URN, type: "creating" })]);
});

it("gives up a guest that stands where the plan wants one of this name, without an open operation", () => {
  expect(findLeftovers(EMPTY, [guest()], PLAN).discard).toEqual([guest()]);
});

it.each([
  ["has been prepared for K3s", guest({ prepared: true })],
  ["is a virtual machine", guest({ kind: "qemu-server" })],
  ["has no creation's number", guest({ creation: "" })],
  ["has another VMID than the plan's", guest({ vmId: 900 })],
  ["has another name than the plan's", guest({ name: "copy" })],
])("leaves a guest to a person that %s", (_, found) => {
  const left = findLeftovers(EMPTY, [found], PLAN);
  expect([left.discard, left.unclear]).toEqual([[], [found]]);
});

it("leaves a guest alone whose VMID the state has, whatever else it says", () => {
  const left = findLeftovers(state({ resources: [machine] }), [guest({ name: "renamed", creation: "" })], PLAN);
  expect([left.discard, left.unclear]).toEqual([[], []]);
});

it("tells of a machine in the state whose guest has gone", () => {
  const { vanished } = findLeftovers(state({ resources: [machine] }), [], PLAN);
  expect(vanished).toEqual([{ urn: URN, name: "k3s-worker-01", vmId: 102, creation: CREATION }]);
});
