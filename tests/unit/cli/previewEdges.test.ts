import { renderJson, renderMarkdown, renderText } from "../../../cli/preview/render";
import { refused, reviewOf } from "../../../cli/preview/review";
import { clusterRecordOf } from "../../../plan/record";
import { master, plan, review, state, text, worker } from "../../support/reviews";
import { changed } from "../config/support";

/* What a reviewer sees of the first and the last server, of unknown values, and of text that somebody else wrote. */

const former = { record: clusterRecordOf(plan()), source: state, unfinished: [] };

test("a first up", () => {
  expect(renderText(reviewOf({ ...former, record: { clusters: [], nodes: [] } }, plan()))).toMatchInlineSnapshot(`
    "homelab: 5 × join
    Compared with the state of the stack homelab.

    Servers, one after the other
      1. k3s-master-1 (VMID 110): join, new in the pool master. Disturbs nothing.
      2. k3s-master-2 (VMID 111): join, new in the pool master. Disturbs nothing.
      3. k3s-master-3 (VMID 112): join, new in the pool master. Disturbs nothing.

    New agents, all at the same time, once K3s runs on all servers
      4. k3s-worker-01 (VMID 102): join, new in the pool worker. Disturbs nothing.
      5. k3s-worker-02 (VMID 103): join, new in the pool worker. Disturbs nothing.

    The cluster
      servers                 none → 3 on etcd, 1 may fail
      pve: guests             0 → 5
      pve: processor threads  0 → 14
      pve: memory             0GB → 28GB
      pve: disk on local-lvm  0GB → 196GB

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("mirrors and registries are in the state, their passwords are not: the preview says what it cannot see", () => {
  const registries = (config: unknown) => ({ k3s: { registries: { configs: { "registry.lan:5000": config } } } });
  const before = { ...former, record: clusterRecordOf(plan(registries({ tls: { insecureSkipVerify: true } }))) };
  const after = reviewOf(before, plan(registries({ auth: true })));
  expect(after.steps.map(({ effect, why }) => [effect, why])).toEqual(
    Array(5).fill(["k3sRestart", ["registries registry.lan:5000"]]),
  );
  const sentence = "Whether a password or a CA of a registry changes";
  expect(after.unknown).toContainEqual(expect.stringContaining(sentence));
  expect(reviewOf(before, plan(registries({}))).unknown).not.toContainEqual(expect.stringContaining(sentence));
});

test("the preview says that a machine whose creation failed half-way is destroyed", () => {
  const record = { ...clusterRecordOf(plan()), halfMade: { "k3s-vm-01": "0123456789abcdef" } };
  expect(reviewOf({ ...former, record }, plan()).notes).toContain(
    "The creation of k3s-vm-01 failed half-way: what there is of its guest is destroyed, and created again if it is still a node.",
  );
});

test("the only server on SQLite moves to etcd, and reboots", () => {
  const one = master({ count: 1 });
  const three = changed(master({ count: 3, memory: "5GB" }), { removal: { onBlocked: "force" } });
  expect(text(three, one)).toMatchInlineSnapshot(`
    "homelab: 1 × reboot, 2 × join
    Compared with the state of the stack homelab.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Servers, one after the other
      1. k3s-master-1 (VMID 110): reboot, then K3s restart, memory 4GB → 5GB; cluster-init +true. Its pods stop and start again with it, without a drain. It is down for at most 69 min. The Kubernetes API is down meanwhile. Cannot be undone: The cluster's objects move to etcd and stay there.
      2. k3s-master-2 (VMID 111): join, new in the pool master. Disturbs nothing.
      3. k3s-master-3 (VMID 112): join, new in the pool master. Disturbs nothing.

    The cluster
      servers                 1 on SQLite, none may fail → 3 on etcd, 1 may fail; during the change 0 of 1 answer
      pve: guests             3 → 5
      pve: processor threads  10 → 14
      pve: memory             20GB → 31GB
      pve: disk on local-lvm  132GB → 196GB

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("the only server is rebuilt, which the config allows", () => {
  const one = master({ count: 1 });
  const change = changed(master({ count: 1, vmIds: { from: 300 } }), {
    removal: { allowControlPlaneLoss: true, onLocalData: "delete" },
  });
  expect(text(change, one)).toMatchInlineSnapshot(`
    "homelab: 1 × drain and rebuild, 2 × K3s restart
    Compared with the state of the stack homelab.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Servers, one after the other
      1. k3s-master-1 (VMID 110): drain and rebuild, VMID 110 → 300. Its pods stop with it. Then it is down for at most 95 min. The Kubernetes API is down meanwhile. Cannot be undone: All objects of the cluster are lost. Its guest and disk are destroyed, with all data that is on this node alone.

    Agents that reboot or restart K3s, one node at a time, in any order
      2. k3s-worker-01 (VMID 102): K3s restart, another server to connect to. Its pods keep running. K3s is down for at most 33 min.
      3. k3s-worker-02 (VMID 103): K3s restart, another server to connect to. Its pods keep running. K3s is down for at most 33 min.

    The cluster
      servers                 1 on SQLite, none may fail; during the change 0 of 1 answer
      pve: guests             3
      pve: processor threads  10
      pve: memory             20GB
      pve: disk on local-lvm  132GB

    Note
      - cluster.removal.allowControlPlaneLoss is set: replacing the only server deletes everything that is stored in the cluster.

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("the preview says what is unknown: no state was read, a run was interrupted, K3s was never installed", () => {
  const record = { ...former.record, nodes: former.record.nodes.map((node) => ({ ...node, storage: undefined })) };
  const nodes = record.nodes.map((node) => (node.name === "k3s-worker-02" ? { ...node, k3s: undefined } : node));
  const source = { kind: "file", file: "base.yaml" } as const;
  const said = renderText(
    reviewOf({ record: { ...record, nodes }, source, unfinished: ["k3s-worker-02-k3s"] }, plan()),
  );
  expect(said).toMatchInlineSnapshot(`
    "homelab: 1 × K3s restart
    Compared with the config in base.yaml alone. The cluster's state was not read.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Agents that reboot or restart K3s, one node at a time, in any order
      1. k3s-worker-02 (VMID 103): K3s restart, version none → v1.36.3+k3s1. Its pods keep running. K3s is down for at most 33 min.

    The cluster
      servers                          3 on etcd, 1 may fail
      pve: guests                      5
      pve: processor threads           14
      pve: memory                      28GB
      pve: disk on an unknown storage  196GB

    Not known
      - Whether the cluster is as base.yaml says. A run that failed, or a config that was never applied, is not seen.
      - What an interrupted run left of k3s-worker-02-k3s. Run npx proxmox-k3s recover first.
      - What runs on k3s-worker-02: the state records its guest, but no K3s on it.
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("a config that cannot be planned is refused like a change that cannot be done", () => {
  const problems = [{ path: "cluster.pools.worker.count", problem: 'must be a whole number, not "2"' }];
  expect(renderText(refused(former, "homelab", problems))).toMatchInlineSnapshot(`
    "homelab: refused, 1 problem
    Compared with the state of the stack homelab.

    Refused. Nothing is changed until this is fixed:
      cluster.pools.worker.count: must be a whole number, not "2"

    The cluster
      servers                 3 on etcd, 1 may fail
      pve: guests             5
      pve: processor threads  14
      pve: memory             28GB
      pve: disk on local-lvm  196GB

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("a value of the config is text in a comment: no Markdown, no mention, no HTML", () => {
  const problem = "must not be `x` | <img src=x> @everyone [a](b) **c**";
  const said = renderMarkdown(refused(former, "homelab", [{ path: "cluster.pools.`x`.y", problem }]));
  expect(said.split("\n").find((line) => line.includes("must not"))).toBe(
    "- `cluster.pools.'x'.y`: must not be \\`x\\` \\| &lt;img src=x&gt; &#64;everyone \\[a\\](b) \\*\\*c\\*\\*",
  );
});

test("all of it as JSON", () => {
  const it = review(worker({ memory: "9GB" }));
  expect(JSON.parse(renderJson(it))).toEqual(JSON.parse(JSON.stringify(it)));
  expect(it.steps[0]).toMatchInlineSnapshot(`
    {
      "after": [],
      "awaySeconds": 2160,
      "effect": "reboot",
      "losses": [],
      "node": "k3s-worker-01",
      "phase": "turns",
      "pool": "worker",
      "restartsToo": false,
      "role": "agent",
      "vmId": 102,
      "why": [
        "memory 8GB → 9GB",
      ],
    }
  `);
});
