import * as fs from "node:fs";
import * as path from "node:path";

import { loadPlan } from "../../../plan/load";
import {
  DOWNLOAD_ROLE,
  HOST_ROLE,
  IMAGE_ROLE,
  POOL_ROLE,
  privilegePaths,
  rolesOf,
  STORAGE_ROLE,
  TEMPLATE_ROLE,
  VM_ROLE,
} from "../../../plan/privileges";
import { preflightArgs } from "../../../plan/render/preflightArgs";
import { parse } from "yaml";

const root = path.join(__dirname, "../../..");
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const homelab = (change: (cluster: any) => void = () => {}) => {
  const cluster = parse(fs.readFileSync(path.join(root, "Pulumi.homelab.yaml"), "utf8")).config["proxmox-k3s:cluster"];
  change(cluster);
  return loadPlan(cluster);
};

describe("the privileges of the API token", () => {
  it.each([
    [POOL_ROLE, "/pool/homelab"],
    [HOST_ROLE, "/"],
    [VM_ROLE, "/pool/homelab"],
    [STORAGE_ROLE, "/"],
    [TEMPLATE_ROLE, "/vms/9000"],
    [IMAGE_ROLE, "/storage/local"],
    [DOWNLOAD_ROLE, "/nodes/pve"],
  ])("are those that the page tells you to grant: $name", ({ name, privileges }, at) => {
    const readme = fs.readFileSync(path.join(root, "docs/by-hand.md"), "utf8");
    const [, granted] = new RegExp(`^pveum role add ${name} --privs "([^"]+)"`, "m").exec(readme)!;
    expect(granted!.split(" ").sort()).toEqual([...privileges].sort());
    expect(readme).toContain(`\npveum acl modify ${at} --users pulumi@pve --roles ${name}\n`);
  });

  it("that change a guest are needed only on the cluster's pool; the others on the path where they are used", () => {
    const paths = privilegePaths(homelab());
    expect([...paths.keys()].sort()).toEqual([
      ...["/", "/pool/homelab", "/sdn/zones/localnetwork/vmbr0", "/storage/local", "/storage/local-lvm", "/vms"],
    ]);
    expect(paths.get("/")).toEqual(["Sys.Modify"]);
    expect(paths.get("/storage/local")).toEqual(["Datastore.AllocateSpace"]);
    expect(paths.get("/vms")).toEqual(["VM.Audit"]);
    expect(paths.get("/pool/homelab")).toEqual([...POOL_ROLE.privileges]);
    expect(POOL_ROLE.privileges).toEqual(expect.arrayContaining(["VM.Allocate", "VM.PowerMgmt", "VM.Config.Network"]));
    const named = homelab((cluster) => (cluster.proxmox.resourcePool = "edge/k3s"));
    expect([...privilegePaths(named).keys()]).toContain("/pool/edge/k3s");
  });

  it("for virtual machines are needed only by a plan that has some", () => {
    const mixed = homelab(({ pools }) => {
      const source = { kind: "vm", role: "agent", count: 2, template: 9000, cores: 2, memory: "4GB", disk: "20GB" };
      pools.vms = { ...source, vmIds: { from: 120 }, addresses: { from: "192.168.2.40" } };
    });
    const [paths, without] = [privilegePaths(mixed), privilegePaths(homelab())];
    expect(paths.get("/vms/9000")).toEqual(["VM.Clone"]);
    expect(paths.get("/pool/homelab")).toEqual([...POOL_ROLE.privileges, ...VM_ROLE.privileges]);
    expect(paths.get("/storage/local-lvm")).toEqual(["Datastore.AllocateSpace", "Datastore.Audit"]);
    expect(without.has("/vms/9000")).toBe(false);
    expect(rolesOf(mixed).map(({ role, path }) => `${role.name} ${path}`)).toEqual([
      ...["PulumiK3s /pool/homelab", "PulumiK3sHost /", "PulumiK3sVm /pool/homelab", "PulumiK3sStorage /"],
      "PulumiK3sTemplate /vms/9000",
    ]);
    expect(rolesOf(homelab())).toHaveLength(2);
  });

  it("for a downloaded image are needed only on its storage and on the node, and none on a template", () => {
    const [url, sha256] = ["https://mirror.lan/debian-13.qcow2", "a".repeat(64)];
    const of = (image: object) =>
      homelab(({ pools }) => {
        const source = { kind: "vm", role: "agent", count: 2, image, cores: 2, memory: "4GB", disk: "20GB" };
        pools.vms = { ...source, vmIds: { from: 120 }, addresses: { from: "192.168.2.40" } };
      });
    const [downloaded, standing] = [of({ url, sha256, storage: "nas" }), of({ volume: "nas:import/debian-13.qcow2" })];
    const paths = privilegePaths(downloaded);
    const ofStorage = ["Datastore.AllocateSpace", "Datastore.Audit"];
    expect(paths.get("/storage/nas")).toEqual([...ofStorage, "Datastore.AllocateTemplate", "Datastore.Allocate"]);
    expect(paths.get("/nodes/pve")).toEqual(["Sys.AccessNetwork"]);
    expect([...paths.keys()].filter((at) => /^[/]vms[/]/.test(at))).toEqual([]);
    expect(rolesOf(downloaded).map(({ role, path: at }) => `${role.name} ${at}`)).toEqual([
      ...["PulumiK3s /pool/homelab", "PulumiK3sHost /", "PulumiK3sVm /pool/homelab", "PulumiK3sStorage /"],
      ...["PulumiK3sImages /storage/nas", "PulumiK3sDownload /nodes/pve"],
    ]);
    expect(privilegePaths(standing).get("/storage/nas")).toEqual(ofStorage);
    expect(privilegePaths(standing).has("/nodes/pve")).toBe(false);
  });

  it("are needed on the VLAN if the nodes are in one", () => {
    expect([...privilegePaths(homelab((cluster) => (cluster.network.vlan = 30))).keys()]).toContain(
      "/sdn/zones/localnetwork/vmbr0/30",
    );
  });
});

describe("the arguments of the checks on the host", () => {
  it("are what the machines need there, and nothing that needs no check", () => {
    const template = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";
    expect(preflightArgs(homelab())).toEqual({
      PVE_NODE: "pve",
      BRIDGE: "vmbr0",
      POOL: "homelab",
      NODES: [
        `100 k3s-master 192.168.2.20 local-lvm 32 ${template}`,
        `102 k3s-worker-01 192.168.2.21 local-lvm 50 ${template}`,
        `103 k3s-worker-02 192.168.2.22 local-lvm 50 ${template}`,
      ].join("\n"),
      FURTHER: "",
      FIRMWARE: "",
      MODULES: "vxlan",
      OVERLAYFS: "local-lvm",
      SNIPPETS: "",
    });
    const changed = homelab((cluster) => {
      cluster.pools.worker.cores = 8;
      cluster.pools.worker.memory = "16GB";
      cluster.removal = { drainTimeout: "7m" };
    });
    expect(preflightArgs(changed)).toEqual(preflightArgs(homelab()));
  });

  it("name a virtual machine's image or template, and the storage for snippets if cloud-init installs its guest agent", () => {
    const of = (source: object) => {
      const { NODES, SNIPPETS } = preflightArgs(
        homelab(({ pools }) => {
          const common = { kind: "vm", role: "agent", count: 1, cores: 2, memory: "4GB", disk: "20GB" };
          pools.vms = { ...common, ...source, vmIds: { from: 120 }, addresses: { from: "192.168.2.40" } };
        }),
      );
      return [
        NODES!
          .split("\n")
          .find((line) => line.startsWith("120 "))!
          .split(" ")
          .at(-1),
        SNIPPETS,
      ];
    };
    const url = { url: "https://mirror.lan/debian-13.img", sha256: "a".repeat(64) };
    expect(of({ template: 9000 })).toEqual(["9000", ""]);
    expect(of({ template: 9000, installAgent: true })).toEqual(["9000", "local"]);
    expect(of({ image: url })).toEqual(["local:import", "local"]);
    expect(of({ image: { ...url, storage: "nas" }, installAgent: false })).toEqual(["nas:import", ""]);
    const volume = "nas:import/debian-13.raw";
    expect(of({ image: { volume } })).toEqual([volume, "local"]);
  });

  it.each([
    ["wireguard-native", { serverConfig: { "flannel-backend": "wireguard-native" } }, "wireguard", "local-lvm\ntank"],
    ["host-gw", { serverConfig: { "flannel-backend": "host-gw" } }, "", "local-lvm\ntank"],
    [
      "ipvs on agents",
      { agentConfig: { "kube-proxy-arg": ["v=2", "proxy-mode=ipvs"] } },
      "vxlan ip_vs",
      "local-lvm\ntank",
    ],
    ["the native snapshotter on agents", { agentConfig: { snapshotter: "native" } }, "vxlan", "local-lvm"],
    ["fuse-overlayfs on servers", { serverConfig: { snapshotter: "fuse-overlayfs" } }, "vxlan", "tank"],
  ])("are what K3s' options need: %s", (_, k3s, MODULES, OVERLAYFS) => {
    const plan = homelab((cluster) => {
      cluster.pools.worker.storage = "tank";
      cluster.k3s = { ...cluster.k3s, ...k3s };
    });
    expect(preflightArgs(plan)).toMatchObject({ MODULES, OVERLAYFS });
  });
});
