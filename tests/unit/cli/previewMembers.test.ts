import { renderMarkdown } from "../../../cli/preview/render";
import { master, review, text, worker } from "../../support/reviews";

/*
 * What a reviewer sees of nodes that join, leave and are rebuilt. Every snapshot was read line by line: if you change one, read it
 * again as the person who has to decide by it.
 */

const markdown = (change: unknown): string => renderMarkdown(review(change));

test("scale up", () => {
  const change = worker({ count: 4 });
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: 2 × join
    Compared with the state of the stack homelab.

    New agents, all at the same time, once K3s runs on all servers
      1. k3s-worker-03 (VMID 104): join, new in the pool worker. Disturbs nothing.
      2. k3s-worker-04 (VMID 105): join, new in the pool worker. Disturbs nothing.

    The cluster
      servers                 3 on etcd, 1 may fail
      pve: guests             5 → 7
      pve: processor threads  14 → 22
      pve: memory             28GB → 44GB
      pve: disk on local-lvm  196GB → 296GB

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: 2 × join

    Compared with the state of the stack homelab.

    | # | node and step | why | disturbs | cannot be undone |
    | --: | --- | --- | --- | --- |
    | | **New agents, all at the same time, once K3s runs on all servers** | | | |
    | 1 | \`k3s-worker-03\` (VMID 104): join | new in the pool worker | nothing | – |
    | 2 | \`k3s-worker-04\` (VMID 105): join | new in the pool worker | nothing | – |

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail |
    | pve: guests | 5 → 7 |
    | pve: processor threads | 14 → 22 |
    | pve: memory | 28GB → 44GB |
    | pve: disk on local-lvm | 196GB → 296GB |

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("scale down", () => {
  const change = worker({ count: 1 });
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: 1 × drain and removal
    Compared with the state of the stack homelab.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Removals, at the end
      1. k3s-worker-02 (VMID 103): drain and removal, no longer in the config. Its pods move within 10 min, or pulumi up stops and keeps the node. Cannot be undone: Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.

    The cluster
      servers                 3 on etcd, 1 may fail
      pve: guests             5 → 4
      pve: processor threads  14 → 10
      pve: memory             28GB → 20GB
      pve: disk on local-lvm  196GB → 146GB

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: 1 × drain and removal

    Compared with the state of the stack homelab. Each time is the longest that the timeouts allow; most steps are much faster.

    | # | node and step | why | disturbs | cannot be undone |
    | --: | --- | --- | --- | --- |
    | | **Removals, at the end** | | | |
    | 1 | \`k3s-worker-02\` (VMID 103): drain and removal | no longer in the config | Its pods move within 10 min, or pulumi up stops and keeps the node. | Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has. |

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail |
    | pve: guests | 5 → 4 |
    | pve: processor threads | 14 → 10 |
    | pve: memory | 28GB → 20GB |
    | pve: disk on local-lvm | 196GB → 146GB |

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("retire the first server", () => {
  const change = master({ retired: [1] });
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: 1 × join, 1 × drain and removal
    Compared with the state of the stack homelab.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Servers, one after the other
      1. k3s-master-4 (VMID 113): join, new in the pool master. Disturbs nothing.

    Removals, at the end
      2. k3s-master-1 (VMID 110): drain and removal, no longer in the config. Its pods move within 10 min, or pulumi up stops and keeps the node. Cannot be undone: Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.

    The cluster
      servers                 3 on etcd, 1 may fail
      pve: guests             5
      pve: processor threads  14
      pve: memory             28GB
      pve: disk on local-lvm  196GB

    Note
      - A kubeconfig that names 192.168.2.30 stops working. The stack's new one names 192.168.2.31.

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: 1 × join, 1 × drain and removal

    Compared with the state of the stack homelab. Each time is the longest that the timeouts allow; most steps are much faster.

    | # | node and step | why | disturbs | cannot be undone |
    | --: | --- | --- | --- | --- |
    | | **Servers, one after the other** | | | |
    | 1 | \`k3s-master-4\` (VMID 113): join | new in the pool master | nothing | – |
    | | **Removals, at the end** | | | |
    | 2 | \`k3s-master-1\` (VMID 110): drain and removal | no longer in the config | Its pods move within 10 min, or pulumi up stops and keeps the node. | Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has. |

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail |
    | pve: guests | 5 |
    | pve: processor threads | 14 |
    | pve: memory | 28GB |
    | pve: disk on local-lvm | 196GB |

    **Note**

    - A kubeconfig that names 192.168.2.30 stops working. The stack's new one names 192.168.2.31.

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("rebuild", () => {
  const change = worker({ vmIds: { from: 202 } });
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: 2 × drain and rebuild
    Compared with the state of the stack homelab.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Agents that are rebuilt, one node at a time
      1. k3s-worker-01 (VMID 102): drain and rebuild, VMID 102 → 202. Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is down for at most 86 min. Cannot be undone: Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.
      2. k3s-worker-02 (VMID 103): drain and rebuild, VMID 103 → 203. Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is down for at most 86 min. Cannot be undone: Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.

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
    "### homelab: 2 × drain and rebuild

    Compared with the state of the stack homelab. Each time is the longest that the timeouts allow; most steps are much faster.

    | # | node and step | why | disturbs | cannot be undone |
    | --: | --- | --- | --- | --- |
    | | **Agents that are rebuilt, one node at a time** | | | |
    | 1 | \`k3s-worker-01\` (VMID 102): drain and rebuild | VMID 102 → 202 | Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is down for at most 86 min. | Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has. |
    | 2 | \`k3s-worker-02\` (VMID 103): drain and rebuild | VMID 103 → 203 | Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is down for at most 86 min. | Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has. |

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
