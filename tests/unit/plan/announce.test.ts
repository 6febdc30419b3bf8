import { closing, notices } from "../../../plan/announce";
import { loadPlan } from "../../../plan/load";
import type { ClusterPlan } from "../../../plan/model";
import { type ClusterRecord, clusterRecordOf } from "../../../plan/record";
import { transitions } from "../../../plan/transitions";
import { changed, homelabConfig } from "../config/support";

const homelab = (change: unknown = {}): ClusterPlan =>
  loadPlan(changed(homelabConfig(), changed({ proxmox: { insecure: true } }, change)));
const NOTHING: ClusterRecord = { clusters: [], nodes: [] };
const standing = clusterRecordOf(homelab());

describe("the plan's warnings", () => {
  const WORDS = ["privileged", "no SHA-256 is recorded", "is not verified"];
  const said = (former: ClusterRecord, change: unknown): string[] => {
    const texts = notices(transitions(former, homelab(change)), homelab(change));
    return texts.map((text) => WORDS.find((word) => text.includes(word)) ?? text);
  };

  test.each([
    ["the first up", NOTHING, {}, WORDS],
    ["a node that joins", standing, { pools: { worker: { count: 3 } } }, WORDS],
    ["a node that is rebuilt", standing, { pools: { worker: { vmIds: { from: 300 } } } }, WORDS],
    ["another release", standing, { version: "v1.36.4+k3s1" }, WORDS.slice(1)],
    ["a reboot", standing, { pools: { worker: { memory: "9GB" } } }, WORDS.slice(2)],
    ["nothing", standing, {}, WORDS.slice(2)],
  ])("in a preview of %s", (_, former, change, words) => expect(said(former, change)).toEqual(words));
});

describe("the last line of an up", () => {
  const line = (former: ClusterRecord, change: unknown = {}): string =>
    closing(former, transitions(former, homelab(change)), homelab(change));
  const status = "next: npx proxmox-k3s status, which compares the cluster with the plan";

  test.each([
    [
      "the first",
      NOTHING,
      {},
      "homelab: all 3 nodes are Ready at K3s v1.36.3+k3s1. next: npx proxmox-k3s kubeconfig --merge, then kubectl --context homelab get nodes",
    ],
    [
      "one more node",
      standing,
      { pools: { worker: { count: 3 } } },
      `homelab: k3s-worker-03 is Ready at K3s v1.36.3+k3s1. ${status}`,
    ],
    [
      "two reboots",
      standing,
      { pools: { worker: { memory: "9GB" } } },
      `homelab: k3s-worker-01, k3s-worker-02 are Ready at K3s v1.36.3+k3s1. ${status}`,
    ],
    [
      "nothing that the program checked",
      standing,
      { pools: { worker: { cores: 6 } } },
      "homelab: the config disturbs no node. next: npx proxmox-k3s status, which checks whether all 3 are Ready",
    ],
  ])("%s", (_, former, change, expected) => expect(line(former, change)).toBe(expected));
});
