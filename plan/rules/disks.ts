import type { Problem } from "../../config/problems";
import type { DiskSettings, PoolSettings } from "../../config/schema";
import { allocatePool } from "../allocate";

/** The guest that keeps a node's disks is `<node>-disks`, and Proxmox VE takes a name of 63 characters. */
const LONGEST_NAME = 57;

/** Disks beside the root disk: only of virtual machines, told apart by their serials, and with a guest that keeps them. */
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
  return [...lists.flatMap(({ at, disks }) => checkSerials(`${at}.disks`, disks)), ...checkKeepers(path, pool)];
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
