import { loadPlan } from "../../../plan/load";
import { stackCluster } from "../../support/program";

/* The stack files in the repository for S4 and S5 of the requirements; their values are from the requirements. */

describe("Pulumi.mizar.yaml is S5", () => {
  const plan = loadPlan(stackCluster("Pulumi.mizar.yaml"));

  test("the server alphard, and the agents hamal and mizar, in virtual machines with NixOS", () => {
    expect(plan.nodes.map(({ name, role, kind, address }) => [name, role, kind, address])).toEqual([
      ["alphard", "server", "vm", "172.22.0.134"],
      ["hamal", "agent", "vm", "172.22.0.135"],
      ["mizar", "agent", "vm", "172.22.0.136"],
    ]);
    for (const node of plan.nodes)
      expect(node).toMatchObject({ os: "nixos", source: { template: 9903, clone: "full" } });
  });

  test("VM 136", () => {
    expect(plan.nodes[2]).toMatchObject({
      ...{ vmId: 136, cores: 4, memoryMiB: 16 * 1024, diskGiB: 32, storage: "Cesspool-VM" },
      ...{ mac: "BC:24:11:B3:ED:03", installAgent: false },
    });
    expect(plan.network.bridge).toBe("vmbr0");
  });

  test("a firewall on every node, and SSH from the LAN", () =>
    expect(plan.firewall).toMatchObject({ adminNetworks: ["172.22.0.0/24"] }));

  test("the release of S5 is accepted too, with a warning that it is out of support", () => {
    const old = loadPlan({ ...stackCluster("Pulumi.mizar.yaml"), version: "v1.33.5+k3s1" });
    expect(old.warnings.map(({ text }) => text)).toContain(
      "K3s v1.33.5+k3s1 is out of support: Kubernetes 1.33 gets no more security fixes",
    );
  });
});

describe("Pulumi.onboarding.yaml is S4", () => {
  const plan = loadPlan(stackCluster("Pulumi.onboarding.yaml"));

  test("k3s1 at 192.168.86.71 and k3s2, with S4's labels and a disk for Longhorn that is kept when its machine is replaced", () => {
    expect(plan.nodes.map(({ name, role, kind, address }) => [name, role, kind, address])).toEqual([
      ["k3s1", "server", "vm", "192.168.86.71"],
      ["k3s2", "agent", "vm", "192.168.86.72"],
    ]);
    for (const node of plan.nodes)
      expect(node).toMatchObject({
        labels: { "node.longhorn.io/create-default-disk": "config", storage: "longhorn" },
        ...{ disks: [{ serial: "longhorn", sizeGiB: 100, longhorn: true }], taints: [] },
      });
  });

  test("S4's packages, iscsid, and a page of the progress", () => {
    for (const node of plan.nodes)
      expect(node).toMatchObject({ packages: ["curl", "jq", "open-iscsi", "wget"], iscsi: true });
    expect(plan.onboarding).toEqual({ http: true });
  });

  test("the networks of pods and services", () =>
    expect(plan.network).toMatchObject({ podCidr: "10.42.0.0/16", serviceCidr: "10.43.0.0/16" }));
});
