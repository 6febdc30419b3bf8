import { reboots } from "../../components/machine/reboots";

/** tests/engine/changes.test.ts shows what the Proxmox client does with such a change. */

const inputs = {
  cpu: { cores: 4 },
  memory: { dedicated: 8192, swap: 0 },
  initialization: {
    hostname: "k3s-worker-01",
    dns: { servers: ["192.168.2.1"] },
    ipConfigs: [{ ipv4: "10.0.0.2/24" }],
  },
  networkInterfaces: [{ name: "eth0", bridge: "vmbr0" }],
  operatingSystem: { type: "ubuntu", templateFileId: "local:vztmpl/ubuntu-22.04.tar.zst" },
};

test.each([
  [{}, false],
  [{ cpu: { cores: 8 }, tags: ["k3s"] }, false],
  [{ operatingSystem: { type: "ubuntu", templateFileId: "local:vztmpl/ubuntu-24.04.tar.zst" } }, false],
  [{ memory: { dedicated: 9216, swap: 0 } }, true],
  [{ memory: { dedicated: 8192, swap: 512 } }, true],
  [{ networkInterfaces: [{ name: "eth0", bridge: "vmbr1" }] }, true],
  [{ initialization: { ...inputs.initialization, hostname: "w1" } }, true],
  [{ initialization: { ...inputs.initialization, ipConfigs: [{ ipv4: "10.0.0.3/24" }] } }, true],
  // A refresh found what somebody added. The program sends it back unchanged, so the client has nothing to change.
  [
    {
      networkInterfaces: [...inputs.networkInterfaces, { name: "eth1", bridge: "vmbr9" }],
      initialization: { ...inputs.initialization, ipConfigs: [...inputs.initialization.ipConfigs, {}] },
    },
    false,
  ],
])("whether a change of %j reboots: %j", (change, expected) => {
  expect(reboots("lxc", inputs, { ...inputs, ...change })).toBe(expected);
});

const machine = {
  cpu: { cores: 4, type: "x86-64-v2-AES" },
  memory: { dedicated: 8192, floating: 0 },
  initialization: { dns: { servers: ["192.168.2.1"] }, ipConfigs: [] },
  networkDevices: [{ bridge: "vmbr0" }],
  disks: [{ interface: "scsi0", size: 20 }],
};

test.each([
  [{}, false],
  [{ disks: [{ interface: "scsi0", size: 30 }], networkDevices: [{ bridge: "vmbr1" }] }, false],
  [{ cpu: { cores: 8, type: "x86-64-v2-AES" } }, true],
  [{ memory: { dedicated: 9216, floating: 0 } }, true],
  [{ initialization: { dns: { servers: ["192.168.2.2"] }, ipConfigs: [] } }, true],
])("whether a change of %j reboots a virtual machine: %j", (change, expected) => {
  expect(reboots("vm", machine, { ...machine, ...change })).toBe(expected);
});
