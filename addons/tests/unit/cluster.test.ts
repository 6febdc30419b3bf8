import { readCluster } from "../../plan/cluster";
import { baseOutputs, clusterOf } from "../support/config";

test("the cluster's outputs are read without the kubeconfig, and its nodes in the order of their names", () => {
  const cluster = clusterOf();
  expect(cluster).not.toHaveProperty("kubeconfig");
  expect(cluster.nodes.map(({ name, disks }) => [name, disks])).toEqual([
    ["k3s-master", []],
    ["k3s-storage-01", [{ serial: "data-1", path: "/mnt/longhorn/data-1" }]],
    ["k3s-worker-01", []],
  ]);
});

test("no message shows the value of the kubeconfig output", () => {
  const outputs = { ...baseOutputs(), kubeconfig: ["PRIVATE"], version: "latest" };
  expect(() => readCluster("organization/proxmox-k3s/homelab", outputs)).toThrow(
    [
      "addons.cluster: outputs.kubeconfig: must be a kubeconfig (run `pulumi up` for the stack organization/proxmox-k3s/homelab with this version of the program)",
      'addons.cluster: outputs.version: must be a K3s release in the form vX.Y.Z+k3sN, not "latest" (run `pulumi up` for the stack organization/proxmox-k3s/homelab with this version of the program)',
    ].join("\n"),
  );
});
