import * as fs from "node:fs";
import * as path from "node:path";

import { CREATION, MARK, ScriptedHost, type ScriptRun } from "../support/scriptedHost";

/*
 * How the Proxmox host decides between servers: which one begins the cluster and which ones join, which one may be stopped, and which
 * one may leave. The guests are a double that records its commands; the lab shows that K3s does what the commands say.
 */

const CLUSTER_ID = "0123456789abcdef";
const HASH = "ab".repeat(32);
const NAMES: Readonly<Record<number, string>> = { 100: "k3s-1", 101: "k3s-2", 102: "k3s-3", 103: "k3s-4" };

/** What a guest answers; all run except `stopped`, and only the API of `live` answers. */
type Guest = "live" | "silent" | "new" | "stopped";
let host: ScriptedHost;
/** Files from which the double of `pct` reads the state of the guests and of the cluster. */
const at = (file: string): string => path.join(host.root, "guests", file);

beforeEach(() => {
  host = new ScriptedHost();
  host.hurry();
  fs.mkdirSync(at(""));
  // pct VERB VMID [--] COMMAND…
  host.pct(`
    guests="${at("")}"; verb=$1 vmid=$2 state=$(cat "$guests/$2"); shift 2; [ "\${1:-}" != -- ] || shift
    case "$verb" in
      status) [ "$state" = stopped ] && echo "status: stopped" || echo "status: running"; exit ;;
      push) cp "$1" "$guests/joined" ;;
    esac
    [ "$verb" = exec ] || exit 0
    case "$state $*" in
      *"test -e "*/started) [ -e "$guests/started-$vmid" ] ;;
      stopped*) exit 1 ;;
      *"test -e /var/lib/rancher/k3s/server/db") [ "$state" != new ] ;;
      "live k3s kubectl get --raw=/readyz") ;;
      *"get --raw=/readyz") exit 1 ;;
      *"k3s kubectl get nodes -l node-role.kubernetes.io/etcd"*) cat "$guests/members" ;;
      *"k3s kubectl annotate node"*remove=true)
        [ -e "$guests/refuses" ] || { grep -v "^$5 " "$guests/members" >"$guests/members.new"; mv "$guests/members.new" "$guests/members"; } ;;
      *"/var/lib/rancher/k3s/server/token") echo ${HASH} ;;
      *"/etc/rancher/k3s/config.yaml") echo "192.168.2.$vmid" ;;
    esac`);
});

function world(
  guests: Readonly<Record<number, Guest>>,
  { plan = [100, 101, 102], former = [] as number[] } = {},
): void {
  const dir = path.join(host.root, "state", CLUSTER_ID);
  fs.mkdirSync(dir, { recursive: true });
  const lines = (vmids: readonly number[]): string => vmids.map((vmid) => `${vmid} ${NAMES[vmid]}\n`).join("");
  fs.writeFileSync(path.join(dir, "servers"), lines(plan));
  fs.writeFileSync(path.join(dir, "former"), lines(former));
  fs.writeFileSync(path.join(dir, "mark"), MARK);
  fs.writeFileSync(path.join(dir, "policy"), "DRAIN_TIMEOUT=300\nON_BLOCKED=stop\nALLOW_CONTROL_PLANE_LOSS=no\n");
  for (const [vmid, state] of Object.entries(guests)) {
    fs.writeFileSync(at(vmid), state);
    host.conf(Number(vmid), `#creation ${CREATION} of ${MARK}\nhostname: ${NAMES[Number(vmid)]}\nlxc.cap.drop:\n`);
    host.record("prepared", Number(vmid));
  }
  const members = Object.entries(guests).filter(([, state]) => state !== "new");
  fs.writeFileSync(at("members"), members.map(([vmid]) => `${NAMES[Number(vmid)]} member-${vmid}\n`).join(""));
}

function run(
  task: "join" | "quorum" | "kept-leave",
  vmid: number,
  env: Readonly<Record<string, string>> = {},
): ScriptRun {
  const node = { CLUSTER_ID, MARK: "", VMID: String(vmid), NAME: NAMES[vmid]!, ROLE: "server", TIMEOUT: "0" };
  return host.script(task, "look", { ...node, ...env });
}

describe("which server a new server joins", () => {
  const join = (vmid: number): ScriptRun => run("join", vmid);
  const joined = (): string => (fs.existsSync(at("joined")) ? fs.readFileSync(at("joined"), "utf8") : "");
  const begun = (vmid: number) => ({ code: 0, outcome: `${NAMES[vmid]} starts a new cluster` });

  it("is none if there is no other server yet, and no guest gets a question", () => {
    world({ 100: "new" });
    expect(join(100)).toMatchObject(begun(100));
    expect(joined()).toBe("");
  });

  it("is none if the others have no data yet", () => {
    world({ 100: "new", 101: "new" });
    expect(join(100)).toMatchObject(begun(100));
  });

  it("is one that answers, with its current address and the hash of its CA; the first server joins too", () => {
    world({ 100: "new", 101: "live", 102: "live" });
    expect(join(100)).toMatchObject({ code: 0, outcome: "k3s-1 joins through 192.168.2.101" });
    expect(joined()).toBe(`https://192.168.2.101:6443 ${HASH}\n`);
  });

  it.each(["silent", "stopped"] as const)(
    "is waited for if the others are %s: the server does not begin a second cluster",
    (state) => {
      world({ 100: "new", 101: state, 102: state });
      const refused = join(100);
      expect(refused.code).toBe(1);
      expect(refused.output).toContain("none of the cluster's servers answered within 0 s: k3s-2 (101) k3s-3 (102)");
      expect(refused.output).toContain("k3s-1 would start a second cluster");
      expect(joined()).toBe("");
    },
  );

  it("is never a foreign guest with a server's VMID, even if it has K3s data", () => {
    world({ 100: "new", 101: "live" });
    host.conf(101, "#my own cluster\nhostname: k3s-2\n");
    expect(join(100)).toMatchObject(begun(100));
  });

  it("is none if the only other one has SQLite: the join fails, unless the loss of the cluster is allowed", () => {
    world({ 100: "live", 101: "new" }, { plan: [101], former: [100] });
    fs.writeFileSync(at("members"), "");
    expect(join(101).output).toContain("k3s-2 cannot join k3s-1 (100), which keeps the cluster in SQLite");
    fs.writeFileSync(path.join(host.root, "state", CLUSTER_ID, "policy"), "ALLOW_CONTROL_PLANE_LOSS=yes\n");
    expect(join(101)).toMatchObject(begun(101));
  });

  it("does not change once K3s has run: the node keeps its datastore", () => {
    world({ 100: "live", 101: "live" });
    fs.writeFileSync(at("started-100"), "");
    expect(join(100)).toMatchObject({ code: 0, outcome: "k3s-1 is a server already" });
  });

  it("accepts it once a dead server that is no longer in the plan is removed", () => {
    world({ 100: "live", 101: "stopped", 102: "live", 103: "new" }, { plan: [100, 102, 103], former: [101] });
    expect(join(103)).toMatchObject({ code: 0, outcome: "k3s-4 joins through 192.168.2.100" });
    expect(fs.readFileSync(at("members"), "utf8")).toBe("k3s-1 member-100\nk3s-3 member-102\n");
  });

  it("refuses it while a dead server stays in the plan, and names that one", () => {
    world({ 100: "live", 101: "stopped", 102: "live", 103: "new" }, { plan: [100, 101, 102, 103] });
    const refused = join(103);
    expect(refused.output).toContain(
      "etcd accepts no new member, so k3s-4 cannot join: of 3 servers these do not answer: k3s-2",
    );
  });
});

describe("a change that stops a server for a moment", () => {
  const quorum = (vmid: number): ScriptRun => run("quorum", vmid, { EFFECT: "reboot it" });

  it("is allowed while the others answer", () => {
    world({ 100: "live", 101: "live", 102: "live" });
    expect(quorum(101)).toMatchObject({ code: 0, outcome: "2 of the 2 other servers answer" });
  });

  it("is refused if another server does not answer, and names that one", () => {
    world({ 100: "live", 101: "live", 102: "stopped" });
    const refused = quorum(101);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(
      "k3s-2 was not changed (this would reboot it): without it etcd has no majority, because these servers do not answer: k3s-3",
    );
  });

  it("is always allowed for a server that does not answer itself", () => {
    world({ 100: "live", 101: "live", 102: "silent" });
    expect(quorum(102)).toMatchObject({ code: 0, outcome: "k3s-3 does not count for etcd's majority now" });
  });
});

describe("a server that leaves", () => {
  const leave = (vmid: number): ScriptRun => run("kept-leave", vmid);
  const members = (): string => fs.readFileSync(at("members"), "utf8");

  it("is removed from etcd before its K3s is stopped, and systemd does not restart it in between", () => {
    world({ 100: "live", 101: "live", 102: "live" }, { plan: [100, 101], former: [102] });
    const left = leave(102);
    expect(left).toMatchObject({ code: 0, outcome: "k3s-3 left the cluster" });
    const order = ["Restart=no", "etcd.k3s.cattle.io/remove=true", "systemctl disable --now k3s", "delete node k3s-3"];
    expect(order.map((words) => left.pct.findIndex((call) => call.includes(words)))).toEqual(
      order.map((words) => left.pct.findIndex((call) => call.includes(words))).sort((a, b) => a - b),
    );
    expect(members()).toBe("k3s-1 member-100\nk3s-2 member-101\n");
    expect(host.kept(`${CLUSTER_ID}/former`)).toBe("");
  });

  it("may be dead, and is removed through healthy servers", () => {
    world({ 100: "stopped", 101: "live", 102: "live" }, { plan: [101, 102], former: [100] });
    const left = leave(100);
    expect(left).toMatchObject({ code: 0, outcome: "k3s-1 left the cluster" });
    expect(members()).toBe("k3s-2 member-101\nk3s-3 member-102\n");
    expect(left.pct.filter((call) => call.startsWith("exec 100 "))).toEqual([]);
  });

  it("is kept if etcd would have no quorum without it, and is not drained", () => {
    world({ 100: "live", 101: "stopped", 102: "live" }, { plan: [100, 101], former: [102] });
    const refused = leave(102);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(
      "without k3s-3 etcd would have no majority: 1 of the 2 other servers answer, not k3s-2",
    );
    expect(refused.pct.filter((call) => /drain|cordon|remove=true/.test(call))).toEqual([]);
    expect(host.kept(`${CLUSTER_ID}/former`)).toBe("102 k3s-3\n");
  });

  it("takes pods again if etcd refuses, and K3s may restart again", () => {
    world({ 100: "live", 101: "live", 102: "live" }, { plan: [100, 101], former: [102] });
    fs.writeFileSync(at("refuses"), "");
    const refused = leave(102);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(
      "etcd did not remove k3s-3 within 2 min; it takes pods again and keeps its machine",
    );
    const calls = refused.pct.filter((call) => /uncordon|rm -rf \/run\/systemd|disable --now/.test(call));
    expect(calls).toEqual([
      expect.stringContaining("rm -rf /run/systemd/system/k3s.service.d"),
      expect.stringContaining("uncordon k3s-3"),
    ]);
  });

  it("is not the last one, unless the loss is allowed: no server is left to run the removal", () => {
    world({ 100: "live" }, { plan: [100] });
    expect(leave(100).output).toContain(
      "k3s-1 is the only server: without it the cluster and all its objects are lost",
    );
  });
});
