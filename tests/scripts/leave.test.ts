import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";

import { jsonPath } from "../support/doubles/jsonPath";
import { CREATION, MARK, ScriptedHost, type ScriptRun } from "../support/scriptedHost";

/*
 * What the script checks of a node that leaves before it drains it: whether Proxmox VE will delete its guest, and whether its disk has
 * data that no other node has. The guests are a double that records its commands.
 */

const CLUSTER_ID = "0123456789abcdef";
const NAME = "k3s-worker-02";
const VMID = 103;
const OTHER = "k3s-worker-01";
const ours = (name: string): string => `#creation ${CREATION} of ${MARK}\nhostname: ${name}\nlxc.cap.drop:\n`;

let host: ScriptedHost;
/** Answers of the cluster's API. */
const api = (file: string): string => path.join(host.root, "api", file);

beforeEach(() => {
  host = new ScriptedHost(`
    api="$(dirname "$0")/../api"
    case "$*" in
      status*) echo "status: running" ;;
      *"get persistentvolumes"*) [ ! -e "$api/silent" ] && cat "$api/volumes" && sh "$api/meanwhile" ;;
      *"get pods -A -o jsonpath"*) cat "$api/pods" ;;
      *"get node ${NAME} --ignore-not-found -o name") sh "$api/node" && { [ -e "$api/gone" ] || echo "node/${NAME}"; } ;;
      *"get node ${NAME} --ignore-not-found -o jsonpath"*) sh "$api/ready" && echo True ;;
      *"get node ${OTHER} --ignore-not-found -o jsonpath"*) cat "$api/other" ;;
      *"delete node"*) touch "$api/gone" ;;
    esac`);
  host.hurry();
  fs.mkdirSync(api(""));
  for (const file of ["volumes", "pods", "meanwhile", "other", "node", "ready"]) fs.writeFileSync(api(file), "");
  const dir = path.join(host.root, "state", CLUSTER_ID);
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, "servers"), "100 k3s-master\n");
  fs.writeFileSync(path.join(dir, "mark"), MARK);
  policy("stop");
  for (const [vmid, name] of [
    [100, "k3s-master"],
    [VMID, NAME],
  ] as const) {
    host.conf(vmid, ours(name));
    host.record("prepared", vmid);
  }
});

function policy(onLocalData: string): void {
  const text = `DRAIN_TIMEOUT=5\nON_BLOCKED=stop\nON_LOCAL_DATA=${onLocalData}\nALLOW_CONTROL_PLANE_LOSS=no\n`;
  fs.writeFileSync(path.join(host.root, "state", CLUSTER_ID, "policy"), text);
}

const leave = (): ScriptRun =>
  host.script("kept-leave", "delete", { CLUSTER_ID, MARK: "", VMID: String(VMID), NAME, ROLE: "agent" });
const left = { code: 0, outcome: `${NAME} left the cluster` };

/** The node was left as it is: no command changed anything on it, in its K3s or in the cluster. */
function expectUndisturbed(run: ScriptRun): void {
  expect(run.code).toBe(1);
  expect(run.pct.filter((call) => /drain|cordon|delete|disable|remove/.test(call))).toEqual([]);
}

describe("a guest that Proxmox VE would keep", () => {
  const put = (file: string, text: string): void => {
    const target = path.join(host.root, "etc", file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text);
  };

  it.each([
    [
      "protected",
      () => host.conf(VMID, `${ours(NAME)}protection: 1\n`),
      "it is protected (pct set 103 --protection 0)",
    ],
    [
      "in the high availability of Proxmox VE",
      () => put("ha/resources.cfg", "ct: 104\n\tstate started\n\nct: 103\n\tstate started\n"),
      "it is in the high availability of Proxmox VE (ha-manager remove ct:103)",
    ],
    [
      "copied by a replication job",
      () => put("replication.cfg", "local: 103-0\n\ttarget pve2\n\nlocal: 104-0\n\ttarget pve2\n"),
      "the replication job 103-0 copies it (pvesr delete 103-0)",
    ],
    [
      "on another Proxmox node",
      () => {
        put(`nodes/pve2/lxc/${VMID}.conf`, host.conf(VMID));
        fs.rmSync(path.join(host.root, `etc/nodes/pve/lxc/${VMID}.conf`));
      },
      "it is on the Proxmox node pve2, to which somebody migrated it (pct migrate 103 pve --restart on pve2)",
    ],
  ])("is reported before its node is drained: %s", (_, keep, reason) => {
    keep();
    const run = leave();
    expect(run.output).toContain(
      `guest 103 (${NAME}) cannot be destroyed, so ${NAME} was not drained:\n  - ${reason}\n`,
    );
    expect(run.output).toMatch(
      /^next: {2}run the commands in brackets on the Proxmox host, then the same command again$/m,
    );
    expectUndisturbed(run);
  });

  it("is reported with all reasons at once", () => {
    host.conf(VMID, `${ours(NAME)}protection: 1\n`);
    put("ha/resources.cfg", "ct: 103\n");
    expect(leave().output.match(/^ {2}- /gm)).toHaveLength(2);
  });

  it("is waited for while another task has it locked, up to a time limit", () => {
    host.conf(VMID, `${ours(NAME)}lock: backup\n`);
    const run = leave();
    expect(run.output).toContain("guest 103 stays locked (backup)");
    expect(run.output).toMatch(/^next: .*if none runs: pct unlock 103; then pulumi up$/m);
    expectUndisturbed(run);
  });

  it("does not stop the removal if only a snapshot has the option, or another guest has it", () => {
    host.conf(VMID, `${ours(NAME)}protection: 0\n\n[before]\nprotection: 1\nlock: backup\n`);
    put("ha/resources.cfg", "ct: 1030\nvm: 103\n");
    put("replication.cfg", "local: 1030-0\n");
    expect(leave()).toMatchObject(left);
  });

  it("is refused by the guard too, which runs before a destroy", () => {
    host.conf(VMID, `${ours(NAME)}protection: 1\n`);
    const run = host.script("guard", "delete", { VMID: String(VMID), NAME, URN: "urn:pulumi:a::b::c::d" });
    expect(run.output).toContain("cannot be destroyed, so it was not shut down:\n  - it is protected (pct set 103");
    expect(run).toMatchObject({ code: 1, pct: [] });
  });
});

describe("if the API does not answer", () => {
  const drains = (run: ScriptRun): string[] => run.pct.filter((call) => call.includes(`kubectl drain ${NAME}`));
  /** Its first answers do not come. */
  const answersAt = (try_: number): string =>
    `echo >>"${api("tries")}"; [ "$(grep -c "" "${api("tries")}")" -ge ${try_} ]\n`;

  it.each(["node", "ready"])("the script asks again, and then drains the node: %s", (question) => {
    fs.writeFileSync(api(question), answersAt(3));
    const run = leave();
    expect(run).toMatchObject(left);
    expect(drains(run)).toHaveLength(1);
  });

  it("the node does not count as one that is not in the cluster", () => {
    fs.writeFileSync(api("node"), "exit 1\n");
    const run = leave();
    expect(run.output).toContain(`no server of the cluster said within 60 s whether it has the node ${NAME}`);
    expect(run.output).toMatch(/^next: {2}find the cause in their journalctl -u k3s .*, then pulumi up$/m);
    expectUndisturbed(run);
  });

  it("the node does not count as one that is not Ready, which needs no drain", () => {
    fs.writeFileSync(api("ready"), "exit 1\n");
    const run = leave();
    expect(run.code).toBe(1);
    expect(run.output).toContain(`no server said within 60 s whether ${NAME} is Ready; it keeps its machine`);
    expect(run.pct.filter((call) => /kubectl (drain|cordon|delete)|disable/.test(call))).toEqual([]);
    expect(run.pct.filter((call) => call.includes("uncordon"))).toHaveLength(1);
  });
});

describe("a node that is rebuilt, because the plan keeps it", () => {
  const file = (name: string): string => path.join(host.root, "state", CLUSTER_ID, name);
  /** As scripts/host/status.sh writes it. */
  const plan = (concurrency: number, ...nodes: readonly string[]): void =>
    fs.writeFileSync(file("run"), `${[concurrency, ...nodes].join("\n")}\n`);
  const refused = (run: ScriptRun, why: string, concurrency = 1): void => {
    expect(run.output).toContain(
      `${NAME} was not drained: it is to be rebuilt, and so ${why}; rollout.concurrency allows ${concurrency} at a time`,
    );
    expect(run.output).toContain(
      `next:  rebuild ${concurrency} at a time: pulumi up --replace '**Legacy::${NAME}'; when it is Ready, the next`,
    );
    expectUndisturbed(run);
  };
  beforeEach(() => {
    fs.mkdirSync(file("rebuilding"));
    fs.writeFileSync(file(`rebuilding/${OTHER}`), "");
    plan(1, OTHER, NAME);
  });

  it("is rebuilt at once if the other rebuilt node is Ready", () => {
    fs.writeFileSync(api("other"), "True");
    expect(leave()).toMatchObject(left);
  });

  it("is refused while another one is not Ready again", () => refused(leave(), `is ${OTHER}`));

  it("is refused while another one leaves, even if that one is still Ready", async () => {
    fs.writeFileSync(api("other"), "True");
    const holder = spawn("flock", [file(`rebuilding/${OTHER}`), "sh", "-c", "echo held; cat"]);
    await once(holder.stdout, "data");
    refused(leave(), `is ${OTHER}`);
    holder.stdin.end();
    await once(holder, "close");
    expect(leave()).toMatchObject(left);
  });

  it("is refused if another one begins during the check, and its own record is renewed after the other one's", () => {
    fs.writeFileSync(api("other"), "True");
    fs.rmSync(file(`rebuilding/${OTHER}`));
    const shown = [NAME, OTHER].map((name) => file(`rebuilding/${name}`)) as [string, string];
    fs.writeFileSync(api("meanwhile"), `[ -e "${shown[0]}" ] && sleep 1 && : >"${shown[1]}"`);
    refused(leave(), `is ${OTHER}`);
    const [own, other] = shown.map((each) => fs.statSync(each).mtimeMs) as [number, number];
    expect(own).toBeGreaterThan(other);
  });

  it("is rebuilt together with another one if the config allows two at a time, but not with a third one", () => {
    plan(2, OTHER, NAME);
    expect(leave()).toMatchObject(left);
    fs.rmSync(api("gone"));
    plan(2, OTHER, NAME, "k3s-worker-03");
    fs.writeFileSync(file("rebuilding/k3s-worker-03"), "");
    refused(leave(), `is ${OTHER} k3s-worker-03`, 2);
  });

  it("does not wait for one that left the plan, and a node that leaves for good does not wait either", () => {
    plan(1, NAME);
    expect(leave()).toMatchObject(left);
    fs.rmSync(api("gone"));
    plan(1, OTHER);
    expect(leave()).toMatchObject(left);
  });
});

describe("data that is on one node only", () => {
  /** A volume as the API has it, bound to nodes by its affinity; to no node if none is given. */
  const volume = (name: string, claim: string | undefined, ...terms: readonly (readonly string[])[]) => {
    const [namespace, claimName] = claim?.split("/") ?? [];
    const expression = (values: readonly string[]) => ({ key: "kubernetes.io/hostname", operator: "In", values });
    return {
      metadata: { name },
      spec: {
        capacity: { storage: "8Gi" },
        ...(claim === undefined ? {} : { claimRef: { namespace, name: claimName } }),
        ...(terms.length === 0
          ? {}
          : {
              nodeAffinity: {
                required: { nodeSelectorTerms: terms.map((values) => ({ matchExpressions: [expression(values)] })) },
              },
            }),
      },
    };
  };
  const pod = (name: string, ...claims: readonly string[]) => {
    const [namespace, podName] = name.split("/");
    const volumes = claims.map((claimName) => ({ persistentVolumeClaim: { claimName } }));
    return { metadata: { namespace, name: podName }, spec: { volumes: [{ emptyDir: {} }, ...volumes] } };
  };
  /** The API's answers, in the form that the script asks for. */
  function cluster(volumes: readonly object[], pods: readonly object[] = []): void {
    const script = fs.readFileSync("scripts/lib/local-data.sh", "utf8");
    const [, ofVolumes, ofPods] =
      /persistentvolumes -o 'jsonpath=([^']*)'[^]*pods -A -o 'jsonpath=([^']*)'/.exec(script) ?? [];
    fs.writeFileSync(api("volumes"), jsonPath(ofVolumes!, { items: volumes }));
    fs.writeFileSync(api("pods"), jsonPath(ofPods!, { items: pods }));
  }
  const bound = volume("pvc-1", "shop/data-db-0", [NAME]);

  it("stops the removal before the drain, with the claims and the pods", () => {
    cluster(
      [bound, volume("pvc-2", "shop/logs", [NAME])],
      [pod("shop/db-0", "data-db-0"), pod("shop/backup-1", "data-db-0"), pod("other/db-0", "data-db-0")],
    );
    const run = leave();
    expect(run.output).toContain(
      `${NAME} was not drained, because this data is on no other node and would be destroyed with its machine:\n` +
        "  - claim shop/data-db-0 (8Gi, volume pvc-1), used by shop/db-0 shop/backup-1\n" +
        "  - claim shop/logs (8Gi, volume pvc-2)\n",
    );
    expect(run.output).toMatch(/^next: .*set removal\.onLocalData: delete, then pulumi up$/m);
    expectUndisturbed(run);
  });

  it("stops it if the policy on the host is from a version without this setting", () => {
    cluster([bound]);
    fs.writeFileSync(path.join(host.root, "state", CLUSTER_ID, "policy"), "DRAIN_TIMEOUT=5\nON_BLOCKED=stop\n");
    expectUndisturbed(leave());
  });

  it("is deleted with the node if the config says so, and is named", () => {
    policy("delete");
    cluster([bound], [pod("shop/db-0", "data-db-0")]);
    const run = leave();
    expect(run).toMatchObject(left);
    expect(run.output).toContain("  - claim shop/data-db-0 (8Gi, volume pvc-1), used by shop/db-0\n");
  });

  it.each([
    ["is on another node", volume("pvc-1", "shop/data", ["k3s-worker-01"])],
    ["is on a node whose name begins the same", volume("pvc-1", "shop/data", [`${NAME}0`])],
    ["is allowed on another node too", volume("pvc-1", "shop/data", [NAME, "k3s-worker-01"])],
    ["is allowed on another node by another term", volume("pvc-1", "shop/data", [NAME], ["k3s-worker-01"])],
    ["is allowed on every node", volume("pvc-1", "shop/data")],
    ["has no claim", volume("pvc-1", undefined, [NAME])],
  ])("is not found if a volume %s", (_, other) => {
    cluster([other], [pod("shop/db-0", "data")]);
    const run = leave();
    expect(run).toMatchObject(left);
    expect(run.output).not.toContain("claim");
  });

  it("may be a disk that somebody added to its guest; a folder of the host and another guest's disk do not count", () => {
    host.conf(
      VMID,
      ours(NAME).replace(
        "hostname",
        [
          "mp0: local-lvm:vm-103-disk-1,mp=/data,size=8G",
          "mp1: /srv/media,mp=/media",
          "mp2: tank:subvol-104-disk-0,mp=/shared,size=1G",
          "unused0: local:103/vm-103-disk-2.raw",
          "hostname",
        ].join("\n"),
      ),
    );
    const run = leave();
    expect(run.output).toContain(
      "would be destroyed with its machine:\n  - disk mp0 of its guest (local-lvm:vm-103-disk-1)\n  - disk unused0 of its guest (local:103/vm-103-disk-2.raw)\nnext:",
    );
    expectUndisturbed(run);
    policy("delete");
    expect(leave()).toMatchObject(left);
  });

  it("is not searched for once its machine is gone: nothing is left to save", () => {
    cluster([bound]);
    fs.rmSync(path.join(host.root, `etc/nodes/pve/lxc/${VMID}.conf`));
    expect(leave()).toMatchObject(left);
  });

  it("stops the removal if the API does not list the volumes", () => {
    fs.writeFileSync(api("silent"), "");
    const run = leave();
    expect(run.output).toContain(`the API of the server 100 did not say which volumes ${NAME} alone has`);
    expectUndisturbed(run);
  });
});
