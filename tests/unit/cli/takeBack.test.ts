import type { HostGuest } from "../../../cli/recover/guests";
import { findLost, takeBack } from "../../../cli/recover/takeBack";
import { parseState } from "../../../cli/state";

/* A guest that a refresh did not find, and removed from the state. tests/engine/byHand.test.ts shows that the engine accepts it again. */

const CREATION = "5f3a9c1e0b7d4421";
const COMPONENT = "urn:pulumi:s::p::a:K3sNode$proxmox-k3s:index:LxcK3sContainer::k3s-worker-02";
const URN = COMPONENT.replace(/::k3s-worker-02$/, "$proxmoxve:index/containerLegacy:ContainerLegacy::k3s-worker-02");
const PROVIDER = "urn:pulumi:s::p::pulumi:providers:proxmoxve::homelab";

const guest = (change: Partial<HostGuest> = {}): HostGuest => ({
  ...{ vmId: 103, pveNode: "pve", kind: "lxc", lock: "", creation: CREATION, unfinished: false, name: "k3s-worker-02" },
  ...change,
});
const provider = { urn: PROVIDER, type: "pulumi:providers:proxmoxve", id: "8a" };
const component = { urn: COMPONENT, type: "proxmox-k3s:index:LxcK3sContainer" };
const guard = {
  urn: "urn:pulumi:s::p::command:remote:Command::k3s-worker-02-guard",
  type: "command:remote:Command",
  parent: COMPONENT,
  inputs: { triggers: [CREATION], stdin: `export MARK='m'\nexport URN='${URN}'\nset -eu\n` },
  dependencies: ["urn:pulumi:s::p::x:Y::other"],
};
const exported = (...resources: object[]): string =>
  JSON.stringify({ version: 3, deployment: { manifest: { time: "t" }, resources } });
const STATE = exported(provider, component, guard);
const INPUTS = { vmId: 103, description: `creation ${CREATION} of m` };

it("is recognized by the steps that name its creation", () => {
  expect(findLost(STATE, guest())).toEqual({ guest: guest(), urn: URN });
});

it.each([
  ["of another creation", STATE, guest({ creation: "0".repeat(16) })],
  ["without one", STATE, guest({ creation: "" })],
  ["of another name", STATE, guest({ name: "k3s-worker-03" })],
  ["whose steps are gone too", exported(provider, component), guest()],
])("one %s is another guest", (_, state, other) => expect(findLost(state, other)).toBeUndefined());

it("is inserted before what depends on it, with its provider and its parent; nothing else changes", () => {
  const text = takeBack(STATE, { guest: guest(), urn: URN }, INPUTS);
  const { deployment, ...rest } = JSON.parse(text);
  expect(rest).toEqual({ version: 3 });
  const made = {
    ...{ urn: URN, custom: true, id: "103", type: "proxmoxve:index/containerLegacy:ContainerLegacy" },
    ...{ inputs: INPUTS, outputs: { ...INPUTS, id: "103" } },
    ...{ parent: COMPONENT, dependencies: [], provider: `${PROVIDER}::8a` },
  };
  const after = { ...guard, dependencies: [...guard.dependencies, URN] };
  expect(deployment).toEqual({ manifest: { time: "t" }, resources: [provider, component, made, after] });
  expect(parseState(text).guests).toEqual([{ urn: URN, name: "k3s-worker-02", vmId: 103 }]);
});

it.each([
  ["has no provider", exported(component, guard), "does not have what guest 103 belongs to"],
  ["has it too late", exported(component, guard, provider), "has the provider of guest 103 after it"],
])("a state that %s is not changed", (_, state, words) => {
  expect(() => takeBack(state, { guest: guest(), urn: URN }, INPUTS)).toThrow(words);
});
