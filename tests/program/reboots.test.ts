import { rebootReasons } from "../../components/rollout/Reboots";

/** What the Proxmox client does with such a change: tests/engine/changes.test.ts. */

const inputs = {
  cpu: { cores: 4 },
  memory: { dedicated: 8192, swap: 0 },
  initialization: { hostname: "k3s-worker-01", dns: { servers: ["192.168.2.1"] } },
  networkInterfaces: [{ name: "eth0", bridge: "vmbr0" }],
  operatingSystem: { type: "ubuntu", templateFileId: "local:vztmpl/ubuntu-22.04.tar.zst" },
};

test.each([
  [{}, []],
  [{ cpu: { cores: 8 }, tags: ["k3s"] }, []],
  [{ operatingSystem: { type: "ubuntu", templateFileId: "local:vztmpl/ubuntu-24.04.tar.zst" } }, []],
  [{ memory: { dedicated: 9216, swap: 0 } }, ["memory"]],
  [{ memory: { dedicated: 8192, swap: 512 } }, ["memory"]],
  [{ networkInterfaces: [{ name: "eth0", bridge: "vmbr1" }] }, ["network interface"]],
  [
    { operatingSystem: { type: "debian" }, initialization: { ...inputs.initialization, hostname: "w1" } },
    ["host name, address or DNS", "operating system's type"],
  ],
])("a change of %j reboots for %j", (change, reasons) => {
  expect(rebootReasons(inputs, { ...inputs, ...change })).toEqual(reasons);
});
