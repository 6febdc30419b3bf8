import * as fs from "node:fs";
import * as path from "node:path";

import { taskFiles } from "../../remote/script";
import { CREATION, MARK, ScriptedHost } from "../support/scriptedHost";

/*
 * The servers that the host knows, and which of them it asks: what the roster writes and refuses, and which server a task
 * uses to reach the cluster.
 */

const CLUSTER_ID = "0123456789abcdef";
const ours = (name: string) => `#creation ${CREATION} of ${MARK}\narch: amd64\nhostname: ${name}\nlxc.cap.drop:\n`;
const FOREIGN = "#my own cluster\narch: amd64\nhostname: k3s-master\n";

let host: ScriptedHost;
beforeEach(() => {
  // Every guest runs a K3s that answers, also a foreign guest.
  host = new ScriptedHost();
});

function roster(servers: Record<number, string>, policy: Record<string, string> = {}) {
  return host.script("roster", "update", {
    CLUSTER_ID,
    SERVERS: Object.entries(servers)
      .map(([vmid, name]) => `${vmid} ${name}`)
      .join("\n"),
    DRAIN_TIMEOUT: "300",
    EVICTION_TIMEOUT: "3600",
    ON_BLOCKED: "stop",
    ON_LOCAL_DATA: "stop",
    ON_DISKS: "keep",
    ALLOW_CONTROL_PLANE_LOSS: "no",
    ...policy,
  });
}

describe("the roster", () => {
  const known = (): string => host.kept(`${CLUSTER_ID}/servers`);

  it("keeps the servers, the mark and the removal with its policy", () => {
    expect(roster({ 100: "k3s-master" })).toMatchObject({ code: 0, outcome: "roster: k3s-master" });
    expect(known()).toBe("100 k3s-master\n");
    expect(host.kept(`${CLUSTER_ID}/mark`)).toBe(`${MARK}\n`);
    expect(host.kept(`${CLUSTER_ID}/leave`)).toBe(`${taskFiles("roster")["leave"]}\n`);
    expect(host.kept(`${CLUSTER_ID}/policy`)).toContain("DRAIN_TIMEOUT=300\n");
  });

  describe("if the config replaces the only server", () => {
    beforeEach(() => {
      roster({ 100: "k3s-master" });
      host.conf(100, ours("k3s-master"));
    });

    it("refuses it, because that would start a second cluster, and keeps the old roster", () => {
      const run = roster({ 101: "k3s-master-02" });
      expect(run.code).toBe(1);
      expect(run.output).toContain("the config keeps none of the cluster's servers: k3s-master (100)\n");
      expect(run.output).toContain("set removal.allowControlPlaneLoss: true");
      expect(known()).toBe("100 k3s-master\n");
    });

    it("accepts it if the loss of the cluster is allowed", () => {
      expect(roster({ 101: "k3s-master-02" }, { ALLOW_CONTROL_PLANE_LOSS: "yes" })).toMatchObject({ code: 0 });
      expect(known()).toBe("101 k3s-master-02\n");
    });

    it.each([
      ["is gone", () => fs.rmSync(path.join(host.root, "etc/nodes/pve/lxc/100.conf"))],
      ["is a foreign guest by now", () => void host.conf(100, FOREIGN)],
    ])("accepts it if the old server's guest %s", (_, change) => {
      change();
      expect(roster({ 101: "k3s-master-02" })).toMatchObject({ code: 0 });
    });

    it("keeps a server that is no longer in the plan, or gets another VMID, until it has left", () => {
      const former = (): string => host.kept(`${CLUSTER_ID}/former`);
      roster({ 100: "k3s-master", 101: "k3s-master-02", 102: "k3s-master-03" });
      expect(former()).toBe("");
      roster({ 100: "k3s-master", 201: "k3s-master-02", 103: "k3s-master-04" });
      expect(former()).toBe("101 k3s-master-02\n102 k3s-master-03\n");
      roster({ 100: "k3s-master", 101: "k3s-master-02", 103: "k3s-master-04" });
      expect(former()).toBe("102 k3s-master-03\n201 k3s-master-02\n");
    });

    it("accepts a new server if another one stays", () => {
      expect(roster({ 100: "k3s-master", 101: "k3s-master-02", 102: "k3s-master-03" })).toMatchObject({ code: 0 });
      host.conf(101, ours("k3s-master-02"));
      expect(roster({ 101: "k3s-master-02" })).toMatchObject({ code: 0 });
    });
  });
});

describe("the way to the cluster", () => {
  const READYZ = "k3s kubectl get --raw=/readyz";
  // Like a step that has no mark.
  const kubeconfig = () => host.script("kubeconfig", "create", { CLUSTER_ID, MARK: "", TIMEOUT: "0" });

  beforeEach(() => {
    host.pct('case "$*" in *k3s.yaml) echo "the kubeconfig of $2" ;; esac');
    roster({ 100: "k3s-master", 101: "k3s-master-02" });
    for (const vmid of [100, 101]) host.record("prepared", vmid);
  });

  it("goes through a server's guest that is ours", () => {
    host.conf(100, ours("k3s-master"));
    expect(kubeconfig()).toMatchObject({ code: 0, outcome: "the kubeconfig of 100" });
  });

  it("never goes through another guest that has a server's VMID and its own K3s", () => {
    host.conf(100, FOREIGN);
    const refused = kubeconfig();
    expect(refused).toMatchObject({ code: 1, pct: [] });
    expect(refused.output).toContain("no server of the cluster answered within 0 s");
    host.conf(101, ours("k3s-master-02"));
    expect(kubeconfig()).toMatchObject({ code: 0, outcome: "the kubeconfig of 101" });
  });

  it.each([
    ["of which the host has no record", ours("k3s-master").replace(CREATION, "0".repeat(16))],
    ["that was created but never finished", ours("k3s-master").replace("lxc.cap.drop:\n", "")],
    ["of another name", ours("evil")],
  ])("never goes through a guest with our mark %s", (_, conf) => {
    host.conf(100, conf);
    expect(kubeconfig()).toMatchObject({ code: 1, pct: [] });
  });

  it("goes through the next server if one does not answer", () => {
    host.conf(100, ours("k3s-master"));
    host.conf(101, ours("k3s-master-02"));
    host.pct(`case "$*" in "exec 100 -- ${READYZ}") exit 1 ;; *k3s.yaml) echo "the kubeconfig of $2" ;; esac`);
    expect(kubeconfig()).toMatchObject({ code: 0, outcome: "the kubeconfig of 101" });
  });
});
