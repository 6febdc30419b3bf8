import { renderMarkdown } from "../../../cli/preview/render";
import { master, review, text, worker } from "../../support/reviews";

/*
 * What a reviewer reads of each kind of change. Every snapshot was read line by line: whoever changes one reads it again, as
 * the person who has to decide by it.
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
      1. k3s-worker-01 (VMID 102): drain and rebuild, VMID 102 → 202. Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is away for at most 86 min. Cannot be undone: Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.
      2. k3s-worker-02 (VMID 103): drain and rebuild, VMID 103 → 203. Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is away for at most 86 min. Cannot be undone: Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.

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
    | 1 | \`k3s-worker-01\` (VMID 102): drain and rebuild | VMID 102 → 202 | Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is away for at most 86 min. | Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has. |
    | 2 | \`k3s-worker-02\` (VMID 103): drain and rebuild | VMID 103 → 203 | Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is away for at most 86 min. | Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has. |

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

test("disk growth", () => {
  const change = worker({ disk: "60GB" });
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: 2 × change while it runs
    Compared with the state of the stack homelab.

    Agents that change while they run, at any time
      1. k3s-worker-01 (VMID 102): change while it runs, disk 50GB → 60GB. Disturbs nothing. Cannot be undone: The disk cannot become smaller again.
      2. k3s-worker-02 (VMID 103): change while it runs, disk 50GB → 60GB. Disturbs nothing. Cannot be undone: The disk cannot become smaller again.

    The cluster
      servers                 3 on etcd, 1 may fail
      pve: guests             5
      pve: processor threads  14
      pve: memory             28GB
      pve: disk on local-lvm  196GB → 216GB

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: 2 × change while it runs

    Compared with the state of the stack homelab.

    | # | node and step | why | disturbs | cannot be undone |
    | --: | --- | --- | --- | --- |
    | | **Agents that change while they run, at any time** | | | |
    | 1 | \`k3s-worker-01\` (VMID 102): change while it runs | disk 50GB → 60GB | nothing | The disk cannot become smaller again. |
    | 2 | \`k3s-worker-02\` (VMID 103): change while it runs | disk 50GB → 60GB | nothing | The disk cannot become smaller again. |

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail |
    | pve: guests | 5 |
    | pve: processor threads | 14 |
    | pve: memory | 28GB |
    | pve: disk on local-lvm | 196GB → 216GB |

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("memory", () => {
  const change = { pools: { worker: { memory: "9GB" }, master: { memory: "5GB" } } };
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: 5 × reboot
    Compared with the state of the stack homelab.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Servers, one after the other
      1. k3s-master-1 (VMID 110): reboot, memory 4GB → 5GB. Its pods stop and start again with it, without a drain. It is away for at most 36 min.
      2. k3s-master-2 (VMID 111): reboot, memory 4GB → 5GB. Its pods stop and start again with it, without a drain. It is away for at most 36 min.
      3. k3s-master-3 (VMID 112): reboot, memory 4GB → 5GB. Its pods stop and start again with it, without a drain. It is away for at most 36 min.

    Agents that reboot or restart K3s, one node at a time, in any order
      4. k3s-worker-01 (VMID 102): reboot, memory 8GB → 9GB. Its pods stop and start again with it, without a drain. It is away for at most 36 min.
      5. k3s-worker-02 (VMID 103): reboot, memory 8GB → 9GB. Its pods stop and start again with it, without a drain. It is away for at most 36 min.

    The cluster
      servers                 3 on etcd, 1 may fail; during the change 2 of 3 answer
      pve: guests             5
      pve: processor threads  14
      pve: memory             28GB → 33GB
      pve: disk on local-lvm  196GB

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: 5 × reboot

    Compared with the state of the stack homelab. Each time is the longest that the timeouts allow; most steps are much faster.

    | # | node and step | why | disturbs | cannot be undone |
    | --: | --- | --- | --- | --- |
    | | **Servers, one after the other** | | | |
    | 1 | \`k3s-master-1\` (VMID 110): reboot | memory 4GB → 5GB | Its pods stop and start again with it, without a drain. It is away for at most 36 min. | – |
    | 2 | \`k3s-master-2\` (VMID 111): reboot | memory 4GB → 5GB | Its pods stop and start again with it, without a drain. It is away for at most 36 min. | – |
    | 3 | \`k3s-master-3\` (VMID 112): reboot | memory 4GB → 5GB | Its pods stop and start again with it, without a drain. It is away for at most 36 min. | – |
    | | **Agents that reboot or restart K3s, one node at a time, in any order** | | | |
    | 4 | \`k3s-worker-01\` (VMID 102): reboot | memory 8GB → 9GB | Its pods stop and start again with it, without a drain. It is away for at most 36 min. | – |
    | 5 | \`k3s-worker-02\` (VMID 103): reboot | memory 8GB → 9GB | Its pods stop and start again with it, without a drain. It is away for at most 36 min. | – |

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail; during the change 2 of 3 answer |
    | pve: guests | 5 |
    | pve: processor threads | 14 |
    | pve: memory | 28GB → 33GB |
    | pve: disk on local-lvm | 196GB |

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("version", () => {
  const change = { version: "v1.37.0+k3s1" };
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: 5 × K3s restart
    Compared with the state of the stack homelab.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Servers, one after the other
      1. k3s-master-1 (VMID 110): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods run on. K3s is away for at most 33 min. Cannot be undone: There is no way back to Kubernetes 1.36.
      2. k3s-master-2 (VMID 111): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods run on. K3s is away for at most 33 min. Cannot be undone: There is no way back to Kubernetes 1.36.
      3. k3s-master-3 (VMID 112): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods run on. K3s is away for at most 33 min. Cannot be undone: There is no way back to Kubernetes 1.36.

    Agents that reboot or restart K3s, one node at a time, in any order
      4. k3s-worker-01 (VMID 102): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods run on. K3s is away for at most 33 min.
      5. k3s-worker-02 (VMID 103): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods run on. K3s is away for at most 33 min.

    The cluster
      servers                 3 on etcd, 1 may fail; during the change 2 of 3 answer
      pve: guests             5
      pve: processor threads  14
      pve: memory             28GB
      pve: disk on local-lvm  196GB

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: 5 × K3s restart

    Compared with the state of the stack homelab. Each time is the longest that the timeouts allow; most steps are much faster.

    | # | node and step | why | disturbs | cannot be undone |
    | --: | --- | --- | --- | --- |
    | | **Servers, one after the other** | | | |
    | 1 | \`k3s-master-1\` (VMID 110): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods run on. K3s is away for at most 33 min. | There is no way back to Kubernetes 1.36. |
    | 2 | \`k3s-master-2\` (VMID 111): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods run on. K3s is away for at most 33 min. | There is no way back to Kubernetes 1.36. |
    | 3 | \`k3s-master-3\` (VMID 112): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods run on. K3s is away for at most 33 min. | There is no way back to Kubernetes 1.36. |
    | | **Agents that reboot or restart K3s, one node at a time, in any order** | | | |
    | 4 | \`k3s-worker-01\` (VMID 102): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods run on. K3s is away for at most 33 min. | – |
    | 5 | \`k3s-worker-02\` (VMID 103): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods run on. K3s is away for at most 33 min. | – |

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail; during the change 2 of 3 answer |
    | pve: guests | 5 |
    | pve: processor threads | 14 |
    | pve: memory | 28GB |
    | pve: disk on local-lvm | 196GB |

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

test("label", () => {
  const change = worker({ labels: { tier: "1" } });
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: 2 × K3s restart
    Compared with the state of the stack homelab.
    Each time is the longest that the timeouts allow; most steps are much faster.

    Agents that reboot or restart K3s, one node at a time, in any order
      1. k3s-worker-01 (VMID 102): K3s restart, node-label +tier=1. Its pods run on. K3s is away for at most 33 min.
      2. k3s-worker-02 (VMID 103): K3s restart, node-label +tier=1. Its pods run on. K3s is away for at most 33 min.

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
    "### homelab: 2 × K3s restart

    Compared with the state of the stack homelab. Each time is the longest that the timeouts allow; most steps are much faster.

    | # | node and step | why | disturbs | cannot be undone |
    | --: | --- | --- | --- | --- |
    | | **Agents that reboot or restart K3s, one node at a time, in any order** | | | |
    | 1 | \`k3s-worker-01\` (VMID 102): K3s restart | node-label +tier=1 | Its pods run on. K3s is away for at most 33 min. | – |
    | 2 | \`k3s-worker-02\` (VMID 103): K3s restart | node-label +tier=1 | Its pods run on. K3s is away for at most 33 min. | – |

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

test("storage", () => {
  const change = { proxmox: { storage: "local-lmv" } };
  expect(text(change)).toMatchInlineSnapshot(`
    "homelab: no node changes
    Compared with the state of the stack homelab.

    The cluster
      servers                 3 on etcd, 1 may fail
      pve: guests             5
      pve: processor threads  14
      pve: memory             28GB
      pve: disk on local-lvm  196GB

    Note
      - k3s-master-1, k3s-master-2, k3s-master-3, k3s-worker-01, k3s-worker-02 stay on the storage local-lvm, not local-lmv: a storage counts when a guest is made.

    Not known
      - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
  expect(markdown(change)).toMatchInlineSnapshot(`
    "### homelab: no node changes

    Compared with the state of the stack homelab.

    | | before → after |
    | --- | --- |
    | servers | 3 on etcd, 1 may fail |
    | pve: guests | 5 |
    | pve: processor threads | 14 |
    | pve: memory | 28GB |
    | pve: disk on local-lvm | 196GB |

    **Note**

    - k3s-master-1, k3s-master-2, k3s-master-3, k3s-worker-01, k3s-worker-02 stay on the storage local-lvm, not local-lmv: a storage counts when a guest is made.

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});

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
      1. k3s-master-1 (VMID 110): K3s restart, version v1.36.3+k3s1 → v1.36.4+k3s1. Its pods run on. K3s is away for at most 33 min.
      2. k3s-master-2 (VMID 111): drain and rebuild, VMID 111 → 211; version v1.36.3+k3s1 → v1.36.4+k3s1. Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is away for at most 95 min. Cannot be undone: Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.
      3. k3s-master-3 (VMID 112): K3s restart, version v1.36.3+k3s1 → v1.36.4+k3s1. Its pods run on. K3s is away for at most 33 min.

    New agents, all at the same time, once K3s runs on all servers
      4. k3s-worker-03 (VMID 304): join, new in the pool worker. Disturbs nothing.
      5. k3s-worker-04 (VMID 105): join, new in the pool worker. Disturbs nothing.

    Agents that reboot or restart K3s, 2 nodes at a time, in any order
      6. k3s-worker-01 (VMID 102): reboot, then K3s restart, memory 8GB → 9GB; version v1.36.3+k3s1 → v1.36.4+k3s1; cores 4 → 6. Its pods stop and start again with it, without a drain. It is away for at most 69 min.

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
    | 1 | \`k3s-master-1\` (VMID 110): K3s restart | version v1.36.3+k3s1 → v1.36.4+k3s1 | Its pods run on. K3s is away for at most 33 min. | – |
    | 2 | \`k3s-master-2\` (VMID 111): drain and rebuild | VMID 111 → 211; version v1.36.3+k3s1 → v1.36.4+k3s1 | Its pods move within 10 min, or pulumi up stops and keeps the node. Then it is away for at most 95 min. | Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has. |
    | 3 | \`k3s-master-3\` (VMID 112): K3s restart | version v1.36.3+k3s1 → v1.36.4+k3s1 | Its pods run on. K3s is away for at most 33 min. | – |
    | | **New agents, all at the same time, once K3s runs on all servers** | | | |
    | 4 | \`k3s-worker-03\` (VMID 304): join | new in the pool worker | nothing | – |
    | 5 | \`k3s-worker-04\` (VMID 105): join | new in the pool worker | nothing | – |
    | | **Agents that reboot or restart K3s, 2 nodes at a time, in any order** | | | |
    | 6 | \`k3s-worker-01\` (VMID 102): reboot, then K3s restart | memory 8GB → 9GB; version v1.36.3+k3s1 → v1.36.4+k3s1; cores 4 → 6 | Its pods stop and start again with it, without a drain. It is away for at most 69 min. | – |
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
