import { conf, host, MARK, type PreflightHost } from "../support/preflightHost";

/*
 * The checks' findings about a Proxmox host's guests, on files and answers in a scratch folder: also for states that no lab has.
 * tests/lab/doctor.test.ts shows on a host that the commands are the right ones.
 */

describe("the resource pool", () => {
  const standing = (each: PreflightHost): void => {
    each.conf(100, conf("k3s-master", "192.168.2.20", MARK));
    each.conf(102, conf("k3s-worker-01", "192.168.2.21", MARK));
    each.conf(105, conf("nas", "192.168.2.9"));
    each.guests = [{ vmid: 100, pool: "homelab" }, { vmid: 102 }, { vmid: 105 }];
  };

  it("must exist before a machine is created in it", () => {
    const without = host((each) => (each.pools = ["other"]));
    expect(without.troubles()).toEqual(["fail resource-pool: there is no resource pool homelab"]);
    const { code, output } = without.run("create");
    expect(code).toBe(1);
    expect(output).toContain("there is no resource pool homelab (pveum pool add homelab, then grant");
  });

  it("is also reported if a cluster exists that was created without it", () => {
    const early = host((each) => {
      standing(each);
      each.guests = [];
      each.pools = [];
    });
    expect(early.troubles()).toEqual(["warn resource-pool: there is no resource pool homelab"]);
  });

  it("must have all guests of ours, and no others", () => {
    const outside = "guests of this cluster are not in the resource pool homelab, so the API token may not change them";
    expect(host(standing).troubles()).toEqual([`warn resource-pool: ${outside}: 102`]);
    const moved = host((each) => {
      standing(each);
      each.guests = [{ vmid: 100, pool: "other" }, { vmid: 102 }];
    });
    expect(moved.troubles()).toEqual([`warn resource-pool: ${outside}: 100 102`]);
    expect(moved.remedies()).toEqual(["pveum pool modify homelab --allow-move 1 --vms 100,102"]);
  });
});

describe("VMIDs and addresses", () => {
  it("are all named if other guests have them", () => {
    const taken = host((each) => {
      each.conf(100, conf("nas", "192.168.2.9"));
      each.conf(102, "name: mail\n", "qemu-server");
      each.answering = ["192.168.2.20"];
      each.silent = ["192.168.2.21"];
    });
    expect(taken.troubles()).toEqual([
      expect.stringMatching(/^fail vmid: VMID 100, wanted for k3s-master, belongs to the guest "nas" /),
      "fail address: 192.168.2.20, wanted for k3s-master, is in use: something answers there",
      expect.stringMatching(/^fail vmid: VMID 102, wanted for k3s-worker-01, belongs to the guest "mail" /),
      "fail address: 192.168.2.21, wanted for k3s-worker-01, is in use: something answers there",
    ]);
  });

  it("get a proposal of a free VMID: not a guest's, not a node's, and not one proposed before", () => {
    const taken = host((each) => {
      each.conf(100, conf("nas", "192.168.2.9"));
      each.conf(101, "name: mail\n", "qemu-server");
      each.conf(102, conf("web", "192.168.2.10"));
    });
    expect(taken.remedies()).toEqual([
      expect.stringContaining("give k3s-master another VMID, for example 103: vmIds of its pool"),
      expect.stringContaining("give k3s-worker-01 another VMID, for example 104: vmIds of its pool"),
    ]);
  });

  describe("of nodes that another state has", () => {
    const elsewhere = host((each) => {
      each.conf(100, conf("k3s-master", "192.168.2.20", MARK));
      each.conf(102, conf("k3s-worker-01", "192.168.2.21", MARK));
      each.answering = ["192.168.2.20", "192.168.2.21"];
    });

    it.each([
      ["before the first up", ""],
      ["after a new id", MARK.replace("0123", "3210")],
    ])("are one finding, which tells you to use that state, not other VMIDs: %s", (_, mark) => {
      expect(elsewhere.troubles(mark)).toEqual([
        `fail vmid: these guests are nodes of this cluster in another Pulumi state: 100 k3s-master (${MARK}), 102 k3s-worker-01 (${MARK})`,
      ]);
      expect(elsewhere.run("create", mark).output).toContain(
        "(use the state that has these guests: pulumi login to its backend, or copy it to this machine (docs/second-machine.md). Other VMIDs would make a second cluster)",
      );
    });

    it("are foreign guests for another cluster, and so is a guest with another name before the first up", () => {
      for (const mark of [MARK.replace("/homelab", "/edge"), MARK.replace("/stack", "/other")].map((each) =>
        each.replace("0123", "3210"),
      ))
        expect(elsewhere.troubles(mark)[0]).toMatch(/^fail vmid: VMID 100, wanted for k3s-master, .* is not ours$/);
      const named = host((each) => each.conf(100, conf("edge-1", "192.168.2.20", MARK)));
      expect(named.troubles("")[0]).toMatch(/^fail vmid: VMID 100, wanted for k3s-master, .* is not ours$/);
    });
  });

  it("may answer if a guest of ours has them", () => {
    const standing = host((each) => {
      each.conf(100, conf("k3s-master", "192.168.2.20", MARK));
      each.conf(109, conf("k3s-moved", "192.168.2.21", MARK));
      each.answering = ["192.168.2.20", "192.168.2.21"];
    });
    expect(standing.troubles()).toEqual([]);
  });

  it("cause a warning if a stopped guest has the address, but not if only a snapshot has it or the guest's is longer", () => {
    const near = host((each) => {
      each.conf(105, `${conf("off", "192.168.2.20")}\n[before]\nnet0: name=eth0,ip=192.168.2.21/24\n`);
      each.conf(106, conf("near", "192.168.2.210"));
    });
    expect(near.troubles()).toEqual([
      `warn address: 192.168.2.20, wanted for k3s-master, is also the address of the guest "off" (105), which does not answer now`,
    ]);
  });
});

it("names a guest whose creation was interrupted, in the plan or not, and no other guest of ours", () => {
  const cutOff = host((each) => {
    for (const vmid of [104, 105]) each.conf(vmid, conf(`k3s-worker-0${vmid - 101}`, "192.168.2.24", MARK));
    each.write("state/creations/105", "5f3a9c1e0b7d4421\n");
  });
  expect(cutOff.troubles()).toEqual([
    'warn creation: guest 105 ("k3s-worker-04") was created by this program, but its set-up never finished',
  ]);
  expect(cutOff.findings().map(({ vmId }) => vmId)).toEqual([105]);
});
