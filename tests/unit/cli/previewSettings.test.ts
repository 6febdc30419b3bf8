import { renderMarkdown } from "../../../cli/preview/render";
import { review, text, worker } from "../../support/reviews";

/*
 * What a reviewer sees of a changed setting on existing nodes. Every snapshot was read line by line: if you change one, read it again
 * as the person who has to decide by it.
 */

const markdown = (change: unknown): string => renderMarkdown(review(change));

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
      1. k3s-master-1 (VMID 110): reboot, memory 4GB → 5GB. Its pods stop and start again with it, without a drain. It is down for at most 36 min.
      2. k3s-master-2 (VMID 111): reboot, memory 4GB → 5GB. Its pods stop and start again with it, without a drain. It is down for at most 36 min.
      3. k3s-master-3 (VMID 112): reboot, memory 4GB → 5GB. Its pods stop and start again with it, without a drain. It is down for at most 36 min.

    Agents that reboot or restart K3s, one node at a time, in any order
      4. k3s-worker-01 (VMID 102): reboot, memory 8GB → 9GB. Its pods stop and start again with it, without a drain. It is down for at most 36 min.
      5. k3s-worker-02 (VMID 103): reboot, memory 8GB → 9GB. Its pods stop and start again with it, without a drain. It is down for at most 36 min.

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
    | 1 | \`k3s-master-1\` (VMID 110): reboot | memory 4GB → 5GB | Its pods stop and start again with it, without a drain. It is down for at most 36 min. | – |
    | 2 | \`k3s-master-2\` (VMID 111): reboot | memory 4GB → 5GB | Its pods stop and start again with it, without a drain. It is down for at most 36 min. | – |
    | 3 | \`k3s-master-3\` (VMID 112): reboot | memory 4GB → 5GB | Its pods stop and start again with it, without a drain. It is down for at most 36 min. | – |
    | | **Agents that reboot or restart K3s, one node at a time, in any order** | | | |
    | 4 | \`k3s-worker-01\` (VMID 102): reboot | memory 8GB → 9GB | Its pods stop and start again with it, without a drain. It is down for at most 36 min. | – |
    | 5 | \`k3s-worker-02\` (VMID 103): reboot | memory 8GB → 9GB | Its pods stop and start again with it, without a drain. It is down for at most 36 min. | – |

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
      1. k3s-master-1 (VMID 110): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods keep running. K3s is down for at most 33 min. Cannot be undone: There is no way back to Kubernetes 1.36.
      2. k3s-master-2 (VMID 111): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods keep running. K3s is down for at most 33 min. Cannot be undone: There is no way back to Kubernetes 1.36.
      3. k3s-master-3 (VMID 112): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods keep running. K3s is down for at most 33 min. Cannot be undone: There is no way back to Kubernetes 1.36.

    Agents that reboot or restart K3s, one node at a time, in any order
      4. k3s-worker-01 (VMID 102): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods keep running. K3s is down for at most 33 min.
      5. k3s-worker-02 (VMID 103): K3s restart, version v1.36.3+k3s1 → v1.37.0+k3s1. Its pods keep running. K3s is down for at most 33 min.

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
    | 1 | \`k3s-master-1\` (VMID 110): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods keep running. K3s is down for at most 33 min. | There is no way back to Kubernetes 1.36. |
    | 2 | \`k3s-master-2\` (VMID 111): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods keep running. K3s is down for at most 33 min. | There is no way back to Kubernetes 1.36. |
    | 3 | \`k3s-master-3\` (VMID 112): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods keep running. K3s is down for at most 33 min. | There is no way back to Kubernetes 1.36. |
    | | **Agents that reboot or restart K3s, one node at a time, in any order** | | | |
    | 4 | \`k3s-worker-01\` (VMID 102): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods keep running. K3s is down for at most 33 min. | – |
    | 5 | \`k3s-worker-02\` (VMID 103): K3s restart | version v1.36.3+k3s1 → v1.37.0+k3s1 | Its pods keep running. K3s is down for at most 33 min. | – |

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
      1. k3s-worker-01 (VMID 102): K3s restart, node-label +tier=1. Its pods keep running. K3s is down for at most 33 min.
      2. k3s-worker-02 (VMID 103): K3s restart, node-label +tier=1. Its pods keep running. K3s is down for at most 33 min.

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
    | 1 | \`k3s-worker-01\` (VMID 102): K3s restart | node-label +tier=1 | Its pods keep running. K3s is down for at most 33 min. | – |
    | 2 | \`k3s-worker-02\` (VMID 103): K3s restart | node-label +tier=1 | Its pods keep running. K3s is down for at most 33 min. | – |

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
      - k3s-master-1, k3s-master-2, k3s-master-3, k3s-worker-01, k3s-worker-02 stay on the storage local-lvm, not local-lmv: a storage applies only to new guests.

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

    - k3s-master-1, k3s-master-2, k3s-master-3, k3s-worker-01, k3s-worker-02 stay on the storage local-lvm, not local-lmv: a storage applies only to new guests.

    **Not known**

    - What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.
    "
  `);
});
