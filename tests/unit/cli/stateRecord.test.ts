import { parseState } from "../../../cli/state";
import { loadPlan } from "../../../plan/load";
import { clusterRecordOf } from "../../../plan/record";
import { k3sConfig } from "../../../plan/render/k3sConfig";
import { homelabConfig } from "../config/support";

/* That the engine's state has this form: tests/engine/previewCommand.test.ts. */

const plan = loadPlan(homelabConfig());
const record = clusterRecordOf(plan);

const resource = (type: string, name: string, outputs: object, more: object = {}) => ({
  urn: `urn:pulumi:homelab::proxmox-k3s::${type}::${name}`,
  type,
  outputs,
  ...more,
});
const container = (at: number, vmId: number, more: object = {}) => {
  const node = record.nodes[at]!;
  return resource(
    "proxmoxve:index/containerLegacy:ContainerLegacy",
    node.name,
    {
      vmId,
      description: "creation 0123456789abcdef of proxmox-k3s proxmox-k3s/homelab/homelab ab",
      operatingSystem: { type: "ubuntu" },
      nodeName: node.proxmoxNode,
      cpu: { cores: node.cores },
      memory: { dedicated: node.memoryMiB, swap: node.swapMiB },
      disk: { size: node.diskGiB, datastoreId: node.storage },
      initialization: {
        dns: { servers: node.nameservers },
        ipConfigs: [{ ipv4: { address: `${node.address}/${node.prefix}`, gateway: node.gateway } }],
      },
      networkInterfaces: [{ name: "eth0", bridge: node.bridge }],
      startOnBoot: node.startOnBoot,
    },
    more,
  );
};
const k3s = (at: number) => {
  const { name, k3s: told } = record.nodes[at]!;
  const values = {
    ROLE: told!.role,
    VERSION: told!.version,
    ARCH: told!.arch,
    CONFIG: k3sConfig(plan.nodes[at]!, plan),
  };
  const lines = Object.entries(values).map(([key, value]) => `export ${key}='${value.replaceAll("'", "'\\''")}'`);
  // The export keeps secrets encrypted.
  const stdin = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "v1:x" };
  return resource("command:remote:Command", `${name}-k3s`, { create: lines.join("\n"), stdin });
};
const exported = (resources?: readonly object[]): string => JSON.stringify({ version: 3, deployment: { resources } });

const recordInExport = (text: string) => parseState(text).record();

test("a state holds the cluster as its plan was applied; what waits for its deletion is no part of it", () => {
  const anchor = resource("random:index/randomId:RandomId", "homelab-anchor", { hex: "ab" });
  const nodes = record.nodes.flatMap(({ vmId }, at) => [container(at, vmId), k3s(at)]);
  const replaced = container(1, 999, { delete: true });
  expect(recordInExport(exported([anchor, ...nodes, replaced]))).toEqual(record);
});

test("network interfaces that somebody added are kept as they are recorded, beside the node's own", () => {
  const [own, added] = [
    { name: "eth0", bridge: "vmbr0" },
    { name: "eth1", bridge: "vmbr1", macAddress: "BC:24:11:00:09:02" },
  ];
  const [address, second] = [{ ipv4: { address: "192.168.2.20/24" } }, { ipv4: { address: "198.18.9.2/24" } }];
  const guest = container(0, 100);
  const outputs = {
    ...guest.outputs,
    networkInterfaces: [own, added],
    initialization: { ipConfigs: [address, second] },
  };
  const [node] = recordInExport(exported([{ ...guest, outputs }])).nodes;
  expect(node?.further).toEqual({ networkInterfaces: [added], ipConfigs: [second] });
});

test("a guest that is not ours by the record itself is no node of the cluster", () => {
  const { outputs, ...guest } = container(0, 100);
  const theirs = { vmId: 100, nodeName: "pve", description: "somebody else's" };
  expect(recordInExport(exported([{ ...guest, outputs: theirs }])).nodes).toEqual([]);
  expect(recordInExport(exported([{ ...guest, outputs: { ...outputs, description: undefined } }])).nodes).toEqual([]);
});

test("a stack before its first up has nothing", () => {
  expect(recordInExport(exported())).toEqual({ clusters: [], nodes: [] });
});
