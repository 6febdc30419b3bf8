import * as fs from "node:fs";
import * as path from "node:path";

import { loadPlan } from "../../../config/load";
import { privilegePaths, REQUIRED_PRIVILEGES } from "../../../config/privileges";
import { preflightArgs } from "../../../config/preflight";
import { parse } from "yaml";

const root = path.join(__dirname, "../../..");
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const homelab = (change: (cluster: any) => void = () => {}) => {
  const cluster = parse(fs.readFileSync(path.join(root, "Pulumi.homelab.yaml"), "utf8")).config["proxmox-k3s:cluster"];
  change(cluster);
  return loadPlan(cluster);
};

describe("the privileges of the API token", () => {
  it("are those that the README tells a person to grant", () => {
    const [, granted] = /^pveum role add PulumiK3s --privs "([^"]+)"/m.exec(
      fs.readFileSync(path.join(root, "README.md"), "utf8"),
    )!;
    expect(granted!.split(" ").sort()).toEqual(Object.keys(REQUIRED_PRIVILEGES).sort());
  });

  it("are needed at the guests, the storages of disk and template, the bridge, and the root", () => {
    const paths = privilegePaths(homelab());
    expect([...paths.keys()].sort()).toEqual([
      ...["/", "/sdn/zones/localnetwork/vmbr0", "/storage/local", "/storage/local-lvm"],
      ...["/vms/100", "/vms/102", "/vms/103"],
    ]);
    expect(paths.get("/")).toEqual(["Sys.Modify"]);
    expect(paths.get("/storage/local")).toEqual(["Datastore.AllocateSpace"]);
    expect(paths.get("/vms/102")).toContain("VM.Config.Network");
  });

  it("are needed at the VLAN where the nodes are in one", () => {
    expect([...privilegePaths(homelab((cluster) => (cluster.network.vlan = 30))).keys()]).toContain(
      "/sdn/zones/localnetwork/vmbr0/30",
    );
  });
});

describe("what the checks on the host are told", () => {
  it("is what the machines take there, and nothing whose change need not be checked", () => {
    const template = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";
    expect(preflightArgs(homelab())).toEqual({
      PVE_NODE: "pve",
      BRIDGE: "vmbr0",
      NODES: [
        `100 k3s-master 192.168.2.20 local-lvm 32 ${template}`,
        `102 k3s-worker-01 192.168.2.21 local-lvm 50 ${template}`,
        `103 k3s-worker-02 192.168.2.22 local-lvm 50 ${template}`,
      ].join("\n"),
    });
    const changed = homelab((cluster) => {
      cluster.pools.worker.cores = 8;
      cluster.pools.worker.memory = "16GB";
      cluster.removal = { drainTimeout: "7m" };
    });
    expect(preflightArgs(changed)).toEqual(preflightArgs(homelab()));
  });
});
