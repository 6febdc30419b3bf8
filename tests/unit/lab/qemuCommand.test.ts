import { guestConfig } from "../../../lab/pve/guestConfig";
import { qemuArguments, type VmFiles } from "../../../lab/vms/qemuCommand";
import { assertSupported } from "../../../lab/vms/supported";

const files: VmFiles = {
  ...{ pid: "/run/101.pid", monitor: "/run/101.qmp", agent: "/run/101.qga", console: "/log/vm-101.log" },
  drive: ({ file }) => (file === "none" ? undefined : `/images/${file.replace(/^.*[:/]/, "")}`),
  plug: (key) => `/run/101.${key}.plug`,
};

/** The arguments of a machine with these options; those of `-device` and `-blockdev` as values. */
function command(options: Readonly<Record<string, string>>) {
  const args = qemuArguments(101, guestConfig(Object.entries(options)), files);
  const after = (name: string) => args.flatMap((word, at) => (args[at - 1] === name ? [word] : []));
  const values = (name: string) => after(name).map((text) => JSON.parse(text) as Record<string, unknown>);
  return { args, after, devices: values("-device"), nodes: values("-blockdev") };
}

const ofId = (list: readonly Record<string, unknown>[], id: string) => list.find((each) => each["id"] === id);

test("always emulates the processor in software, whatever the configuration has", () => {
  const { after } = command({ cpu: "host", cores: "2", memory: "1024" });
  expect(after("-accel")).toEqual(["tcg,thread=multi"]);
  expect(after("-cpu")).toEqual(["max"]);
  expect([...after("-smp"), ...after("-m")]).toEqual(["2,sockets=1,cores=2,maxcpus=2", "1024M"]);
});

test("is a daemon with a PID file, sockets and a log", () => {
  const { args, after } = command({ name: "k3s-worker-01", smbios1: "uuid=0e9b4b3c-7f5f-4f0e-8f3a-1a2b3c4d5e6f" });
  expect(args).toContain("-daemonize");
  expect(after("-name")).toEqual(["k3s-worker-01,debug-threads=on"]);
  expect(after("-pidfile")).toEqual(["/run/101.pid"]);
  expect(after("-qmp")).toEqual(["unix:/run/101.qmp,server=on,wait=off"]);
  expect(after("-chardev")).toEqual(["file,id=serial0,path=/log/vm-101.log"]);
  expect(after("-smbios")).toEqual(["type=1,uuid=0e9b4b3c-7f5f-4f0e-8f3a-1a2b3c4d5e6f"]);
});

test("a disk of virtio-scsi-single has its own controller; cloud-init's drive is a CD", () => {
  const { devices, nodes } = command({
    ...{ scsihw: "virtio-scsi-single", boot: "order=scsi0;net0", ide2: "local-lvm:vm-101-cloudinit,media=cdrom" },
    ...{
      scsi0: "local-lvm:vm-101-disk-0,discard=on,size=8G",
      scsi1: "local-lvm:vm-101-disk-1,serial=data%201,size=1G",
    },
  });
  expect(ofId(devices, "virtioscsi0")).toEqual({ driver: "virtio-scsi-pci", id: "virtioscsi0" });
  expect(ofId(devices, "scsi0")).toEqual({
    ...{ driver: "scsi-hd", id: "scsi0", bus: "virtioscsi0.0", channel: 0, "scsi-id": 0, lun: 0 },
    ...{ drive: "drive-scsi0", bootindex: 100 },
  });
  expect(ofId(devices, "scsi1")).toMatchObject({ bus: "virtioscsi1.0", serial: "data 1" });
  expect(ofId(devices, "ide2")).toEqual({ driver: "ide-cd", id: "ide2", bus: "ide.1", unit: 0, drive: "drive-ide2" });
  expect(nodes.map((node) => [node["node-name"], node["driver"], node["read-only"], node["discard"]])).toEqual(
    expect.arrayContaining([
      ["drive-scsi0", "qcow2", undefined, "unmap"],
      ["drive-scsi1", "qcow2", undefined, "ignore"],
      ["drive-ide2", "raw", true, undefined],
    ]),
  );
  expect(nodes[0]).toMatchObject({ file: { driver: "file", filename: expect.stringMatching(/^\/images\/vm-101-/) } });
});

test("disks on the other controllers share one controller; a CD drive may be empty", () => {
  const { devices, nodes } = command({
    ...{ scsi0: "local-lvm:vm-101-disk-0,size=8G", scsi1: "local-lvm:vm-101-disk-1,size=1G", ide2: "none,media=cdrom" },
  });
  expect(devices.filter(({ driver }) => driver === "lsi")).toHaveLength(1);
  expect(ofId(devices, "scsi1")).toMatchObject({ bus: "scsihw0.0", "scsi-id": 1 });
  expect(ofId(devices, "ide2")).not.toHaveProperty("drive");
  expect(nodes).toHaveLength(2);
});

test("a network is a tap that QEMU creates and the machine's own script connects", () => {
  const { after, devices } = command({ net0: "virtio=BC:24:11:00:00:01,bridge=vmbr0,mtu=1400" });
  expect(after("-netdev")).toEqual(["tap,id=net0,ifname=tap101i0,script=/run/101.net0.plug,downscript=no"]);
  expect(ofId(devices, "net0")).toEqual({
    ...{ driver: "virtio-net-pci", id: "net0", netdev: "net0", mac: "BC:24:11:00:00:01", romfile: "", host_mtu: 1400 },
  });
});

test("the guest agent has a socket only if it is enabled, and the memory a balloon unless it is switched off", () => {
  const enabled = command({ agent: "enabled=1" });
  expect(enabled.after("-chardev")).toContain("socket,id=qga0,path=/run/101.qga,server=on,wait=off");
  expect(ofId(enabled.devices, "qga0")).toMatchObject({ name: "org.qemu.guest_agent.0" });
  expect(ofId(enabled.devices, "balloon0")).toBeDefined();
  const without = command({ agent: "0", balloon: "0" });
  expect(ofId(without.devices, "qga0")).toBeUndefined();
  expect(ofId(without.devices, "balloon0")).toBeUndefined();
});

test.each([
  [{ bios: "ovmf" }, "no UEFI firmware (bios)"],
  [{ efidisk0: "local-lvm:vm-101-disk-1" }, "no UEFI firmware or TPM (efidisk0)"],
  [{ hostpci0: "0000:01:00" }, "no devices or folders of the host (hostpci0)"],
  [{ net0: "virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=7" }, "no VLANs (net0)"],
  [{ citype: "configdrive2" }, "no cloud-init drive of that type (citype)"],
])("what the lab's machines do not support is refused: %p", (options, reason) => {
  expect(() => assertSupported(guestConfig(Object.entries(options)))).toThrow(
    `the lab's virtual machines have ${reason}`,
  );
});

test("the options of the program's nodes are not refused", () => {
  const options = { agent: "1", scsihw: "virtio-scsi-single", ide2: "local-lvm:cloudinit", hotplug: "network,disk" };
  expect(() => assertSupported(guestConfig(Object.entries(options)))).not.toThrow();
});
