import { ContainerLegacy, VmLegacy } from "@muhlba91/pulumi-proxmoxve";

import { KINDS } from "../../../config/sections/poolKeys";
import { kindOfFolder, kindOfResource, MACHINE_KINDS } from "../../../plan/machineKinds";

test.each(KINDS)("%s: each of its names belongs to it, and to no other kind", (kind) => {
  const { resourceType, folder } = MACHINE_KINDS[kind];
  expect([kindOfResource(resourceType), kindOfFolder(folder)]).toEqual([kind, kind]);
});

test("the resources' types are those of the Proxmox client", () => {
  const { lxc, vm } = MACHINE_KINDS;
  expect(ContainerLegacy.isInstance({ __pulumiType: lxc.resourceType })).toBe(true);
  expect(VmLegacy.isInstance({ __pulumiType: vm.resourceType })).toBe(true);
});

test("a resource that is no machine has no kind", () => {
  expect([kindOfResource("random:index/randomId:RandomId"), kindOfFolder("openvz")]).toEqual([undefined, undefined]);
});
