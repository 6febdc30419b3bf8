import { renderMarkdown } from "../../../cli/preview/render";
import { review, text, worker } from "../../support/reviews";

/*
 * What a reviewer sees of a refused change, and of a change of many kinds. Every snapshot was read line by line: if you change one,
 * read it again as the person who has to decide by it.
 */

const markdown = (change: unknown): string => renderMarkdown(review(change));

test("refused shrink", () => {
  const change = worker({ disk: "20GB" });
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: refused, 2 problems
    Compared with the state of the stack homelab.

    Refused. Nothing is changed until this is fixed:
      cluster.pools.worker.disk: cannot shrink the disk of k3s-worker-01 from 50GB to 20GB
        → set 50GB; for a smaller disk, retire the node and add another
      cluster.pools.worker.disk: cannot shrink the disk of k3s-worker-02 from 50GB to 20GB
        → set 50GB; for a smaller disk, retire the node and add another

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
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: refused, 2 problems

    Compared with the state of the stack homelab.

    **Refused.** Nothing is changed until this is fixed:

    - \`cluster.pools.worker.disk\`: cannot shrink the disk of k3s-worker-01 from 50GB to 20GB<br>→ set 50GB; for a smaller disk, retire the node and add another
    - \`cluster.pools.worker.disk\`: cannot shrink the disk of k3s-worker-02 from 50GB to 20GB<br>→ set 50GB; for a smaller disk, retire the node and add another

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail |
    | pve: guests | 5 |
    | pve: processor threads | 14 |
    | pve: memory | 28GB |
    | pve: disk on local-lvm | 196GB |

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("refused network", () => {
  const change = { network: { podCidr: "10.99.0.0/16" } };
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: refused, 1 problem
    Compared with the state of the stack homelab.

    Refused. Nothing is changed until this is fixed:
      cluster.network.podCidr: cannot become 10.99.0.0/16: K3s cannot change the pods' network of an existing cluster
        → set it back to 10.42.0.0/16; another value needs a new cluster

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
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: refused, 1 problem

    Compared with the state of the stack homelab.

    **Refused.** Nothing is changed until this is fixed:

    - \`cluster.network.podCidr\`: cannot become 10.99.0.0/16: K3s cannot change the pods' network of an existing cluster<br>→ set it back to 10.42.0.0/16; another value needs a new cluster

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail |
    | pve: guests | 5 |
    | pve: processor threads | 14 |
    | pve: memory | 28GB |
    | pve: disk on local-lvm | 196GB |

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("mixed", () => {
  const change = {
    version: "v1.36.4+k3s1",
    rollout: { concurrency: 2 },
    pools: {
      worker: { count: 3, retired: [2], cores: 6, nodes: { 1: { memory: "9GB" }, 3: { vmId: 304 } } },
      master: { nodes: { 2: { vmId: 211 } } },
    },
  };
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: 2 × K3s restart, 1 × drain and rebuild, 2 × join, 1 × reboot, 1 × drain and removal
    Compared with the state of the stack homelab.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Servers, one after the other
      1. k3s-master-1 (VMID 110): K3s restart, version v1.36.3+k3s1 → v1.36.4+k3s1. Its pods keep running. K3s is down for at most 33 min.
      2. k3s-master-2 (VMID 111): drain and rebuild, VMID 111 → 211; version v1.36.3+k3s1 → v1.36.4+k3s1. Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is down for at most 95 min. Cannot be undone: Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.
      3. k3s-master-3 (VMID 112): K3s restart, version v1.36.3+k3s1 → v1.36.4+k3s1. Its pods keep running. K3s is down for at most 33 min.

    New agents, all at the same time, once K3s runs on all servers
      4. k3s-worker-03 (VMID 304): join, new in the pool worker. Disturbs nothing.
      5. k3s-worker-04 (VMID 105): join, new in the pool worker. Disturbs nothing.

    Agents that reboot or restart K3s, 2 nodes at a time, in any order
      6. k3s-worker-01 (VMID 102): reboot, then K3s restart, memory 8GB → 9GB; version v1.36.3+k3s1 → v1.36.4+k3s1; cores 4 → 6. Its pods stop and start again with it, without a drain. It is down for at most 69 min.

    Removals, at the end
      7. k3s-worker-02 (VMID 103): drain and removal, no longer in the config. Its pods move within 10 min, or pulumi up stops and keeps the node. Cannot be undone: Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.

    The cluster
      servers                 3 on etcd, 1 may fail; during the change 2 of 3 answer
      pve: guests             5 → 6
      pve: processor threads  14 → 24
      pve: memory             28GB → 37GB
      pve: disk on local-lvm  196GB → 246GB

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: 2 × K3s restart, 1 × drain and rebuild, 2 × join, 1 × reboot, 1 × drain and removal

    Compared with the state of the stack homelab. Each time is the longest that the timeouts allow; most steps are much faster.

    | # | node and step | why | disturbs | cannot be undone |
    | --: | --- | --- | --- | --- |
    | | **Servers, one after the other** | | | |
    | 1 | \`k3s-master-1\` (VMID 110): K3s restart | version v1.36.3+k3s1 → v1.36.4+k3s1 | Its pods keep running. K3s is down for at most 33 min. | – |
    | 2 | \`k3s-master-2\` (VMID 111): drain and rebuild | VMID 111 → 211; version v1.36.3+k3s1 → v1.36.4+k3s1 | Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is down for at most 95 min. | Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has. |
    | 3 | \`k3s-master-3\` (VMID 112): K3s restart | version v1.36.3+k3s1 → v1.36.4+k3s1 | Its pods keep running. K3s is down for at most 33 min. | – |
    | | **New agents, all at the same time, once K3s runs on all servers** | | | |
    | 4 | \`k3s-worker-03\` (VMID 304): join | new in the pool worker | nothing | – |
    | 5 | \`k3s-worker-04\` (VMID 105): join | new in the pool worker | nothing | – |
    | | **Agents that reboot or restart K3s, 2 nodes at a time, in any order** | | | |
    | 6 | \`k3s-worker-01\` (VMID 102): reboot, then K3s restart | memory 8GB → 9GB; version v1.36.3+k3s1 → v1.36.4+k3s1; cores 4 → 6 | Its pods stop and start again with it, without a drain. It is down for at most 69 min. | – |
    | | **Removals, at the end** | | | |
    | 7 | \`k3s-worker-02\` (VMID 103): drain and removal | no longer in the config | Its pods move within 10 min, or pulumi up stops and keeps the node. | Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has. |

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail; during the change 2 of 3 answer |
    | pve: guests | 5 → 6 |
    | pve: processor threads | 14 → 24 |
    | pve: memory | 28GB → 37GB |
    | pve: disk on local-lvm | 196GB → 246GB |

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});
