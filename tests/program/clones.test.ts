import * as pulumi from "@pulumi/pulumi";

import { Clones } from "../../components/rollout/Clones";
import type { VmSource } from "../../plan/model";
import { acceptHooks } from "../support/hookMonitor";

/** How many copies of one source run at a time. tests/unit/pve/vmClone.test.ts shows that Proxmox VE locks a template. */

beforeAll(async () => {
  await pulumi.runtime.setMocks({ newResource: ({ inputs }) => ({ id: "", state: inputs }), call: () => ({}) });
  acceptHooks(pulumi.runtime.getMonitor());
});

const template = (vmid: number): VmSource => ({ template: vmid, clone: "full" });
const image: VmSource = { image: { volume: "local:import/debian-13.qcow2" } };
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Machines that take a turn; a machine is in `begun` from its check on. */
function machines() {
  const clones = new Clones("homelab");
  const begun: string[] = [];
  const take = (name: string, source: VmSource) => {
    const taken = clones.take(name, source, async () => void begun.push(name));
    return { taken };
  };
  const made = (name: string) => clones.hooks.afterCreate.callback({ name } as pulumi.ResourceHookArgs);
  const failed = (name: string) => clones.hooks.onError.callback({ name } as pulumi.ErrorHookArgs);
  return { clones, begun, take, made, failed };
}

test("four at a time; the next begins when one is finished or has failed", async () => {
  const { begun, take, made, failed } = machines();
  for (let n = 1; n <= 6; n++) take(`vm-${n}`, template(9000));
  await settle();
  expect(begun).toEqual(["vm-1", "vm-2", "vm-3", "vm-4"]);
  await made("vm-2");
  await settle();
  expect(begun.slice(4)).toEqual(["vm-5"]);
  expect(await failed("vm-1")).toBe(false);
  await settle();
  expect(begun.slice(5)).toEqual(["vm-6"]);
});

test("copies of another template, or of an image, do not wait for them", async () => {
  const { begun, take } = machines();
  for (let n = 1; n <= 5; n++) take(`a-${n}`, template(9000));
  take("b-1", template(9001));
  take("c-1", image);
  await settle();
  expect(begun).toEqual(expect.arrayContaining(["b-1", "c-1"]));
  expect(begun).not.toContain("a-5");
});

test("a machine whose check fails ends its turn, and the error is the check's", async () => {
  const { clones, begun, take } = machines();
  for (let n = 1; n <= 3; n++) take(`vm-${n}`, template(9000));
  const foreign = clones.take("nas", template(9000), () => Promise.reject(new Error("VMID 103 belongs to nas")));
  await expect(foreign).rejects.toThrow("VMID 103 belongs to nas");
  take("vm-4", template(9000));
  await settle();
  expect(begun).toEqual(["vm-1", "vm-2", "vm-3", "vm-4"]);
});

test("a hook of a machine that has no turn changes nothing: containers and updates call it too", async () => {
  const { begun, take, made } = machines();
  await made("k3s-worker-01");
  for (let n = 1; n <= 5; n++) take(`vm-${n}`, template(9000));
  await settle();
  expect(begun).toHaveLength(4);
});
