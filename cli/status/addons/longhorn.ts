import type { LonghornDiskSight, LonghornNodeSight, LonghornSight, Robustness } from "../../../plan/addonsSight";
import { longhornDisks, type NodePlan } from "../../../plan/model";
import { fail, ok, warn } from "../../doctor/finding";
import { broken, type Difference, odd, seenOf } from "../difference";
import type { Sight } from "../sight";
import { firstOf, isTrue, reasonOf, someOf } from "./words";

const CHECK = "longhorn";
/** The namespace in which its chart installs it. */
const NAMESPACE = "longhorn-system";
const KIND = "nodes.longhorn.io";

/** @param nodes the nodes of the plan that run and are Ready */
export function checkLonghorn(seen: LonghornSight, nodes: readonly NodePlan[], sight: Sight): Difference[] {
  const namespace = seen.nodes[0]?.namespace ?? NAMESPACE;
  const withDisks = nodes.filter((node) => longhornDisks(node).length > 0);
  const found = [
    ...withDisks.flatMap((node) => checkNode(node, seen, namespace, sight)),
    ...seen.nodes.flatMap((node) => checkEvictions(node, sight)),
    ...seen.nodes.flatMap((node) => checkGone(node, sight)),
  ];
  const rest = (count: number): Difference =>
    fail(CHECK, `${count} more of its nodes and disks differ`, `kubectl -n ${namespace} get ${KIND} lists them`);
  const volumes = checkVolumes(seen, namespace);
  if (found.length + volumes.length > 0) return [...firstOf(found, rest), ...volumes];
  if (seen.nodes.length === 0) return [];
  return [
    ok(
      CHECK,
      `${withDisks.length} nodes have the disks of the plan, and no volume of ${seen.volumes.all} lacks a copy`,
    ),
  ];
}

const describe = ({ namespace, name }: Pick<LonghornNodeSight, "namespace" | "name">): string =>
  `kubectl -n ${namespace} describe ${KIND} ${name} says why`;
const patch = ({ namespace, name }: Pick<LonghornNodeSight, "namespace" | "name">, spec: unknown): string =>
  `kubectl -n ${namespace} patch ${KIND} ${name} --type=merge -p '${JSON.stringify({ spec })}'`;
const TAKES_REPLICAS = { allowScheduling: true, evictionRequested: false };

/** Checks a node to which the config gives disks for Longhorn. */
function checkNode(planned: NodePlan, { nodes }: LonghornSight, namespace: string, sight: Sight): Difference[] {
  const { name } = planned;
  const own = nodes.find((node) => node.name === name);
  if (own === undefined)
    return [
      broken(
        CHECK,
        name,
        "has disks for Longhorn, which does not know the node",
        `kubectl -n ${namespace} get pods -l app=longhorn-manager -o wide says whether Longhorn runs there`,
      ),
    ];
  if (!isTrue("Ready", own.conditions))
    return [broken(CHECK, name, `is not Ready in Longhorn${reasonOf("Ready", own.conditions)}`, describe(own))];
  return [
    ...checkScheduling(own, sight),
    ...longhornDisks(planned).flatMap(({ serial }) => checkDisk(serial, own, sight)),
  ];
}

/** Whether this program has begun to remove the node, or a disk of it, from Longhorn. Another line reports that. */
const isLeaving = (name: string, { cluster }: Sight): boolean => seenOf(cluster)?.leaving.includes(name) === true;

function checkScheduling(own: LonghornNodeSight, sight: Sight): Difference[] {
  const { name, conditions } = own;
  if (own.evictionRequested || isLeaving(name, sight)) return [];
  if (!own.allowScheduling)
    return [
      odd(
        CHECK,
        name,
        "takes no new replicas: somebody has stopped that in Longhorn",
        patch(own, { allowScheduling: true }),
      ),
    ];
  // Longhorn gives a cordoned node no replicas, and the cordon has its own line.
  const isCordoned = seenOf(sight.cluster)?.nodes?.some((node) => node.name === name && node.isCordoned) === true;
  if (isCordoned || isTrue("Schedulable", conditions)) return [];
  return [odd(CHECK, name, `takes no new replicas${reasonOf("Schedulable", conditions)}`, describe(own))];
}

function checkDisk(serial: string, own: LonghornNodeSight, sight: Sight): Difference[] {
  const path = `/mnt/longhorn/${serial}`;
  const disk = own.disks.find((each) => each.path === path);
  if (disk === undefined) {
    const missing = { path, diskType: "filesystem", ...TAKES_REPLICAS };
    return [
      broken(
        CHECK,
        own.name,
        `has the disk ${serial}, which Longhorn does not know`,
        patch(own, { disks: { [serial]: missing } }),
      ),
    ];
  }
  const { conditions } = disk;
  if (!isTrue("Ready", conditions))
    return [
      broken(
        CHECK,
        own.name,
        `has the disk ${serial}, which Longhorn cannot use${reasonOf("Ready", conditions)}`,
        describe(own),
      ),
    ];
  if (disk.evictionRequested || own.evictionRequested || isLeaving(own.name, sight)) return [];
  if (!disk.allowScheduling)
    return [
      odd(
        CHECK,
        own.name,
        `has the disk ${serial}, which takes no new replicas: somebody has stopped that in Longhorn`,
        patch(own, { disks: { [disk.name]: { allowScheduling: true } } }),
      ),
    ];
  if (isTrue("Schedulable", conditions)) return [];
  return [
    odd(
      CHECK,
      own.name,
      `has the disk ${serial}, which takes no new replicas${reasonOf("Schedulable", conditions)}`,
      describe(own),
    ),
  ];
}

/** Longhorn moves replicas away, but no removal by this program is running. */
function checkEvictions(own: LonghornNodeSight, sight: Sight): Difference[] {
  const { name } = own;
  if (isLeaving(name, sight)) return [];
  const words = "is being emptied by Longhorn, but no removal of this program is running";
  if (own.evictionRequested) return [odd(CHECK, name, words, `${patch(own, TAKES_REPLICAS)}, if nobody wants it`)];
  const evicted = own.disks.filter(({ evictionRequested }) => evictionRequested);
  return evicted.map((disk: LonghornDiskSight) =>
    odd(
      CHECK,
      name,
      `has the disk ${disk.name}, which ${words}`,
      `${patch(own, { disks: { [disk.name]: TAKES_REPLICAS } })}, if nobody wants it`,
    ),
  );
}

/** Longhorn removes a node later than Kubernetes does. */
function checkGone(own: LonghornNodeSight, { cluster, record }: Sight): Difference[] {
  const { name, namespace } = own;
  const nodes = seenOf(cluster)?.nodes;
  if (nodes === undefined || [...nodes, ...record.nodes].some((node) => node.name === name)) return [];
  // Longhorn does not delete a Node that accepts replicas.
  const first = own.allowScheduling ? `${patch(own, { allowScheduling: false })}, then ` : "";
  return [
    odd(
      CHECK,
      name,
      "is still listed by Longhorn, and is no node of the cluster",
      `${first}kubectl -n ${namespace} delete ${KIND} ${name}, if it does not come back`,
    ),
  ];
}

function checkVolumes({ volumes, unwell }: LonghornSight, namespace: string): Difference[] {
  const named = (robustness: Robustness): string =>
    someOf(
      unwell.filter((volume) => volume.robustness === robustness).map(({ name }) => name),
      volumes[robustness],
    );
  const list = `kubectl -n ${unwell[0]?.namespace ?? namespace} get volumes.longhorn.io,replicas.longhorn.io`;
  return [
    ...(volumes.faulted > 0
      ? [
          fail(
            CHECK,
            `${volumes.faulted} of ${volumes.all} volumes are faulted, with no usable copy: ${named("faulted")}`,
            `${list} says which copies failed; start the nodes that have them, or restore a backup`,
          ),
        ]
      : []),
    ...(volumes.degraded > 0
      ? [
          warn(
            CHECK,
            `${volumes.degraded} of ${volumes.all} volumes are degraded, with fewer copies than they ask for: ${named("degraded")}`,
            `${list} says which copies are missing; Longhorn makes them as soon as a node has room`,
          ),
        ]
      : []),
  ];
}
