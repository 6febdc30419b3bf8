import * as fs from "node:fs";
import * as path from "node:path";

import { parseState } from "../../../cli/state";
import { repairRecordIn } from "../../../components/repairRecordIn";
import { loadPlan } from "../../../plan/load";
import { clusterRecordOf } from "../../../plan/record";
import { k3sConfig } from "../../../plan/render/k3sConfig";
import { homelabConfig } from "../config/support";

/* tests/engine/previewCommand.test.ts shows that the engine's state has this form. */

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
  const outputs = { create: lines.join("\n"), stdin };
  return { ...resource("command:remote:Command", `${name}-k3s`, outputs), outputs };
};
const exported = (resources?: readonly object[]): string => JSON.stringify({ version: 3, deployment: { resources } });

const recordInExport = (text: string) => parseState(text).record();

test("a state has the cluster as its plan was applied, without what waits for its deletion", () => {
  const anchor = resource("random:index/randomId:RandomId", "homelab-anchor", { hex: "ab" });
  const nodes = record.nodes.flatMap(({ vmId }, at) => [container(at, vmId), k3s(at)]);
  const replaced = container(1, 999, { delete: true });
  expect(recordInExport(exported([anchor, ...nodes, replaced]))).toEqual(record);
});

test("registries are read without their passwords, and a step from before the feature has none", () => {
  const step = k3s(1);
  const of = (value: string) => {
    const create = `${step.outputs.create}\nexport REGISTRIES='${value}'`;
    return recordInExport(exported([container(1, 102), { ...step, outputs: { ...step.outputs, create } }])).nodes[0]!
      .k3s;
  };
  expect(of("mirrors:\n  docker.io: {}")).toMatchObject({ registries: "mirrors:\n  docker.io: {}" });
  expect(Object.keys(of("")!)).not.toContain("registries");
  expect(recordInExport(exported([container(1, 102), step])).nodes[0]!.k3s).not.toHaveProperty("registries");
});

test("the module of a machine with NixOS is the one that its K3s was started with, not another step's", () => {
  const step = k3s(1);
  const create = `${step.outputs.create}\nexport MODULE_SHA256='${"0".repeat(64)}'`;
  const nixos = { ...step, outputs: { ...step.outputs, create } };
  const of = (started: object) => recordInExport(exported([container(1, 102), started])).nodes[0]!;
  expect(of(nixos)).toMatchObject({ os: "nixos", moduleSum: "0".repeat(64) });
  expect(Object.keys(of(step))).not.toEqual(expect.arrayContaining(["os"]));
});

test("missing parts of a guest's start order are unset, as in the plan", () => {
  const recorded = container(1, 102);
  const outputs = { ...recorded.outputs, startup: { order: 0, upDelay: -1, downDelay: -1 } };
  const [node] = recordInExport(exported([{ ...recorded, outputs }])).nodes;
  expect(node!.startup).toEqual({ order: 0, upDelaySeconds: undefined, downDelaySeconds: undefined });
});

test("network interfaces that somebody added are kept as recorded, in addition to the node's own", () => {
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

test("a guest that is not ours by its own record is no node of the cluster", () => {
  const { outputs, ...guest } = container(0, 100);
  const theirs = { vmId: 100, nodeName: "pve", description: "somebody else's" };
  expect(recordInExport(exported([{ ...guest, outputs: theirs }])).nodes).toEqual([]);
  expect(recordInExport(exported([{ ...guest, outputs: { ...outputs, description: undefined } }])).nodes).toEqual([]);
});

test("a virtual machine is half created until the client has read it, or a step after it exists", () => {
  const { outputs } = container(0, 120);
  const [disks, networkDevices] = [[{ size: 20, datastoreId: "local-lvm" }], [{ bridge: "vmbr0" }]];
  const machine = (macAddresses?: readonly string[] | null) =>
    resource("proxmoxve:index/vmLegacy:VmLegacy", "k3s-vm-1", { ...outputs, disks, networkDevices, macAddresses });
  const read = (...all: readonly object[]) => {
    const { nodes, halfMade } = recordInExport(exported(all));
    return [nodes.map(({ name }) => name), halfMade];
  };
  const guard = (creation: string) =>
    resource("command:remote:Command", "k3s-vm-1-guard", { triggers: [creation], create: "" });
  const halfMade = [[], { "k3s-vm-1": "0123456789abcdef" }];
  expect(read(machine(null))).toEqual(halfMade);
  expect(read(machine())).toEqual(halfMade);
  // A rebuild leaves the former machine's steps in the state until they are created again.
  expect(read(machine(null), guard("f".repeat(16)))).toEqual(halfMade);
  expect(read(machine(["02:08:68:93:2B:4F"]))).toEqual([["k3s-vm-1"], undefined]);
  // Like a machine that `recover` put into the state again.
  expect(read(machine(), guard("0123456789abcdef"))).toEqual([["k3s-vm-1"], undefined]);
});

describe("for repairs", () => {
  const read = (...all: readonly ReturnType<typeof resource>[]) =>
    repairRecordIn(Object.fromEntries(all.map(({ urn, type, outputs }) => [urn, { type, outputs }])));
  const step = (name: string, repairs: number | undefined, stdout = "") => {
    const create = ["# title", ...(repairs === undefined ? [] : [`export REPAIRS='${repairs}'`]), "exec sh -s"].join(
      "\n",
    );
    return resource("command:remote:Command", name, { create, stdout });
  };

  test("a state has the cluster's id, how often each step was repaired, and the end of the kubeconfig's certificate", () => {
    const pem = fs.readFileSync(path.join(__dirname, "../../fixtures/certificate.pem"));
    const kubeconfig = `users:\n- user:\n    client-certificate-data: ${pem.toString("base64")}\n`;
    const anchor = resource("random:index/randomId:RandomId", "homelab-anchor", { hex: "0123456789abcdef" });
    // A step with only a deletion has no text for a creation.
    const leave = resource("command:remote:Command", "k3s-master-leave", { delete: "exec sh -s" });
    const steps = [step("k3s-master-k3s", 0), step("k3s-worker-01-k3s", 3), step("k3s-worker-01-host-key", undefined)];
    expect(read(anchor, leave, ...steps, step("homelab-kubeconfig", 1, kubeconfig))).toEqual({
      clusterId: "0123456789abcdef",
      counts: new Map([
        ["k3s-worker-01-k3s", 3],
        ["homelab-kubeconfig", 1],
      ]),
      kubeconfigEnds: new Date("2036-11-25T22:25:12Z"),
    });
  });

  test("an empty state, and one whose kubeconfig cannot be read, have none of it", () => {
    const nothing = { clusterId: undefined, counts: new Map(), kubeconfigEnds: undefined };
    expect(read()).toEqual(nothing);
    const odd = resource("command:remote:Command", "homelab-kubeconfig", {
      create: {},
      stdout: { ciphertext: "v1:x" },
    });
    expect(read(odd)).toEqual(nothing);
    expect(read(step("homelab-kubeconfig", 0, "client-certificate-data: AAAA"))).toEqual(nothing);
  });
});

test("a stack before its first up has nothing", () => {
  expect(recordInExport(exported())).toEqual({ clusters: [], nodes: [] });
});
