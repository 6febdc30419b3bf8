import { conf, GIB, host, MARK, type PreflightHost, storage, type Storage, TEMPLATE } from "../support/preflightHost";

/*
 * The checks' findings about a Proxmox host's storages, templates and images, on files and answers in a scratch folder: also for
 * states that no lab has. tests/lab/doctor.test.ts shows on a host that the commands are the right ones.
 */

describe("the firmware of a template of virtual machines", () => {
  const troubles = (firmware: string, conf: string) =>
    host((each) => {
      each.args["NODES"] = "120 k3s-vm-1 192.168.2.40 local-lvm 20 9000";
      each.args["FIRMWARE"] = firmware;
      const text = `name: golden\nscsi0: local-lvm:base-9000-disk-0,size=2G\ntemplate: 1\n${conf}`;
      each.write("etc/qemu-server/9000.conf", text);
    }).troubles();

  it.each([
    ["", "bios: ovmf\n"],
    ["9000 seabios", ""],
    ["9000 ovmf", "bios: ovmf\nefidisk0: local-lvm:base-9000-disk-1,efitype=4m,size=528K\n"],
  ])("fits: %j, %j", (firmware, conf) => expect(troubles(firmware, conf)).toEqual([]));

  it.each([
    ["9000 ovmf", "", "fail template: the template 9000 (golden) has no EFI disk, which bios: ovmf needs"],
    ["9000 seabios", "bios: ovmf\n", "fail template: the template 9000 (golden) boots by UEFI, not by bios: seabios"],
  ])("does not fit: %j, %j", (firmware, conf, trouble) => expect(troubles(firmware, conf)).toEqual([trouble]));
});

describe("storage", () => {
  it.each([
    [{ type: "zfspool" }, /^fail storage: local-lvm is ZFS, where the overlayfs/],
    [{ content: "images" }, /^fail storage: local-lvm does not allow containers \(content: images\)/],
    [{ active: 0 }, /^fail storage: local-lvm is not active/],
    [{ storage: "tank" }, /^fail storage: there is no storage local-lvm on pve; existing storages: local tank$/],
    [{ avail: 5 * GIB }, /^fail space: local-lvm has 5 GiB free; 2 new machines need 82 GiB/],
    [
      { avail: 40 * GIB },
      /^warn space: local-lvm has 40 GiB free; 2 new machines need 82 GiB when their disks are full/,
    ],
    [{ avail: 40 * GIB, type: "lvm" }, /^fail space: local-lvm has 40 GiB free/],
  ])("%j", (change, line) => {
    const [local] = host().storages;
    const changed = host((each) => (each.storages = [local!, storage(change)]));
    expect(changed.troubles()).toEqual([expect.stringMatching(line)]);
  });

  it("has room for further disks too, and takes disks of virtual machines", () => {
    const further = (FURTHER: string, change: Partial<Storage> = {}) =>
      host((each) => {
        each.storages = [
          storage({ avail: 90 * GIB, ...change }),
          storage({ storage: "slow", content: "iso", avail: GIB }),
        ];
        each.args["FURTHER"] = FURTHER;
      });
    expect(further("").troubles()).toEqual([]);
    expect(further("320 local-lvm 10\n320 slow 5").troubles()).toEqual([
      "warn space: local-lvm has 90 GiB free; 2 new machines and 1 further disks need 92 GiB when their disks are full",
      "fail storage: slow does not allow virtual machines (content: iso)",
    ]);
    const kept = further("320 local-lvm 10");
    kept.conf(320, `#disks of k3s-vm-1 of ${MARK}\nname: k3s-vm-1-disks\n`, "qemu-server");
    expect(kept.troubles()).toEqual([]);
    kept.conf(320, "#mine\nname: nas\n", "qemu-server");
    expect(kept.troubles()).toContainEqual(
      expect.stringMatching(/^fail vmid: VMID 320, wanted for a guest that keeps disks, belongs to the guest "nas"/),
    );
  });

  it("may be ZFS if no node there needs overlayfs", () => {
    const zfs = (overlayfs: string) =>
      host((each) => {
        each.storages = [storage({ type: "zfspool" })];
        each.args["OVERLAYFS"] = overlayfs;
      });
    expect(zfs("").troubles()).toEqual([]);
    expect(zfs("tank").troubles()).toEqual([]);
    expect(zfs("tank\nlocal-lvm").remedies()).toEqual([expect.stringContaining("or set snapshotter: native")]);
  });

  it("is not guessed if Proxmox VE gives no answer", () => {
    const stuck = host((each) => each.deaf.push("/nodes/pve/storage", "/nodes/pve/storage/local/content"));
    expect(stuck.troubles()).toEqual([
      "fail storage: Proxmox VE does not list the storages of pve: connection refused",
      `fail template: ${TEMPLATE} does not exist: connection refused`,
    ]);
  });

  it("counts the machines that do not exist yet", () => {
    const half = host((each) => {
      each.storages = [storage({ avail: 60 * GIB })];
      each.conf(100, conf("k3s-master", "192.168.2.20", MARK));
    });
    expect(half.troubles()).toEqual([]);
  });
});

describe("the image or template of virtual machines", () => {
  const local = (content: string, avail = 50 * GIB) => storage({ storage: "local", type: "dir", content, avail });
  const vms = (
    source: string,
    content = "import,snippets",
    change: (host: PreflightHost) => void = () => {},
  ): PreflightHost =>
    host((each) => {
      each.args["NODES"] = `120 k3s-vm-1 192.168.2.40 local-lvm 20 ${source}`;
      each.args["SNIPPETS"] = "local";
      each.storages = [local(content), storage({})];
      change(each);
    });
  const VOLUME = "local:import/debian-13.qcow2";
  const OURS = "local:import/proxmox-k3s-0123456789abcdef-aaaaaaaaaaaa.qcow2";

  it("is there, or can be downloaded, and the storage takes snippets", () => {
    expect(vms("local:import").troubles()).toEqual([]);
    expect(vms(VOLUME, undefined, (each) => (each.images = [VOLUME])).troubles()).toEqual([]);
    // The root disk is not for a container.
    expect(
      vms("local:import", undefined, (each) => (each.storages[1] = storage({ content: "images" }))).troubles(),
    ).toEqual([]);
  });

  it.each([
    [
      "local:import",
      "snippets",
      "image",
      "local does not allow the content type import (content: snippets)",
      "pvesm set local --content snippets,import",
    ],
    [
      VOLUME,
      "import,snippets",
      "image",
      `${VOLUME} does not exist`,
      "put the file there (web interface: pve, local, Import), or set image.url instead of image.volume",
    ],
    [
      "nas:import",
      "import,snippets",
      "image",
      "there is no storage nas on pve; existing storages: local local-lvm",
      "set image.storage (or image.volume) to one of them",
    ],
    [
      "local:import",
      "import",
      "snippets",
      "local does not allow the content type snippets (content: import)",
      "pvesm set local --content import,snippets; or install qemu-guest-agent in the image or template yourself, and set installAgent: false in the pool",
    ],
  ])("%s on a storage with %s: %s", (source, content, check, seen, remedy) => {
    const lacking = vms(source, content);
    expect(lacking.troubles()).toEqual([`fail ${check}: ${seen}`]);
    expect(lacking.remedies()).toEqual([remedy]);
  });

  it("gets one command for both contents, because a second would undo the first", () => {
    expect(vms("local:import", "iso").remedies()).toEqual([
      "pvesm set local --content iso,import",
      expect.stringMatching(/^pvesm set local --content iso,import,snippets; or/),
    ]);
  });

  it("needs room for a download, but only for one that is not there yet", () => {
    const full = (images: string[]) =>
      vms("local:import", undefined, (each) => {
        each.storages = [local("import,snippets", GIB), storage({})];
        each.images = images;
      }).troubles();
    expect(full([VOLUME])).toEqual(["fail image: local has 1 GiB free, and an image is to be downloaded to it"]);
    expect(full([OURS])).toEqual([]);
  });

  it("needs no snippets if no machine installs its agent", () => {
    expect(vms("local:import", "import", (each) => (each.args["SNIPPETS"] = "")).troubles()).toEqual([]);
  });
});
