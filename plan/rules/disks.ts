import type { Problem } from "../../config/problems";
import type { DiskSettings, PoolSettings, VmPoolSettings } from "../../config/schema";
import { allocatePool, disksOf } from "../allocate";
import { labelStep } from "./labels";
import { DEFAULT_DISK_LABEL } from "./storageLabels";

/** The guest that keeps a node's disks is named `<node>-disks`, and Proxmox VE allows a name of 63 characters. */
const LONGEST_NAME = 57;

/** Disks in addition to the root disk: only for virtual machines, with unique serials, and with a guest that keeps them. */
export function checkDisks(path: string, pool: PoolSettings): Problem[] {
  const overrides = Object.entries(pool.nodes);
  if (pool.kind === "lxc")
    return overrides.flatMap(([index, own]) =>
      (["disks", "disksVmId"] as const)
        .filter((key) => own[key] !== undefined)
        .map((key) => ({
          path: `${path}.nodes.${index}.${key}`,
          problem: "is for virtual machines, and this pool has containers",
          hint: "use a pool of kind: vm",
        })),
    );
  const lists = [
    { at: path, disks: pool.disks },
    ...overrides.map(([index, { disks = [] }]) => ({ at: `${path}.nodes.${index}`, disks })),
  ];
  return [
    ...lists.flatMap(({ at, disks }) => [
      ...checkSerials(`${at}.disks`, disks),
      ...checkLonghorn(`${at}.disks`, disks, pool),
    ]),
    ...checkDiskLabels(path, pool),
    ...checkKeepers(path, pool),
  ];
}

/** Longhorn keeps a part of each disk free, so a smaller disk could hold nothing. */
const LEAST_LONGHORN_GIB = 10;

function checkLonghorn(path: string, disks: readonly DiskSettings[], { os }: VmPoolSettings): Problem[] {
  return disks.flatMap(({ longhorn, size, serial }, at) => {
    if (!longhorn) return [];
    if (os === "nixos")
      return [
        {
          path: `${path}[${at}].longhorn`,
          problem: "is not for NixOS: its configuration decides what is mounted, and which services run",
          hint: `remove it; set fileSystems."/mnt/longhorn/${serial}" and services.openiscsi in the configuration of the template, and add the disk in Longhorn`,
        },
      ];
    if (size > LEAST_LONGHORN_GIB) return [];
    const problem = `must be more than ${LEAST_LONGHORN_GIB}GB for Longhorn, not ${size}GB`;
    return [
      { path: `${path}[${at}].size`, problem, hint: "Longhorn keeps a part of each disk free; for example 100GB" },
    ];
  });
}

/** A disk for Longhorn sets this label, so the config must not set another value. */
function checkDiskLabels(path: string, pool: VmPoolSettings): Problem[] {
  const labelled = [
    { at: path, labels: pool.labels, isMeant: pool.disks.some(({ longhorn }) => longhorn) },
    ...Object.entries(pool.nodes).map(([index, { labels }]) => ({
      at: `${path}.nodes.${index}`,
      labels,
      isMeant: disksOf(pool, Number(index)).some(({ longhorn }) => longhorn),
    })),
  ];
  return labelled.flatMap(({ at, labels, isMeant }) =>
    isMeant && (labels[DEFAULT_DISK_LABEL] ?? "config") !== "config"
      ? [
          {
            path: `${at}.labels${labelStep(DEFAULT_DISK_LABEL)}`,
            problem: `must be config, not ${labels[DEFAULT_DISK_LABEL]}: a disk of the pool is for Longhorn`,
            hint: "remove it; longhorn: true of a disk sets it",
          },
        ]
      : [],
  );
}

function checkSerials(path: string, disks: readonly DiskSettings[]): Problem[] {
  const serials = disks.map(({ serial }) => serial);
  return serials.flatMap((serial, at) =>
    serials.indexOf(serial) === at
      ? []
      : [
          {
            path: `${path}[${at}].serial`,
            problem: `is ${serial}, as that of another disk of the machine`,
            hint: "a serial tells the disks of a machine apart",
          },
        ],
  );
}

function checkKeepers(path: string, pool: PoolSettings): Problem[] {
  const keeping = allocatePool("cluster", "pool", pool).filter(({ disksVmId }) => disksVmId !== undefined);
  const missing = keeping.find(({ disksVmId }) => disksVmId?.value === undefined);
  const long = keeping.find(({ hostname }) => hostname.value.length > LONGEST_NAME);
  return [
    ...(missing === undefined
      ? []
      : [
          {
            path: `${path}.disksVmIds`,
            problem: `gives no VMID for the guest that keeps the disks of index ${missing.index}`,
            hint: `for example { from: 320 }; or set nodes: { ${missing.index}: { disksVmId: 320 } }`,
          },
        ]),
    ...(long === undefined
      ? []
      : [
          {
            path: `${path}.hostname`,
            problem: `gives ${long.hostname.value}, which is too long for a node with disks`,
            hint: `at most ${LONGEST_NAME} characters`,
          },
        ]),
  ];
}
