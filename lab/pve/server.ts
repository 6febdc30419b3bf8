import * as fs from "node:fs";
import * as path from "node:path";
import { AccessStore } from "./access/accessStore";
import type { ContainerDriver, VmDriver } from "./driver";
import { GuestStore } from "./guests/guestStore";
import { container, guestKinds, virtualMachine, type GuestKind } from "./guests/kinds";
import { createApp } from "./http/app";
import type { Exchange, RequestHook } from "./http/exchange";
import type { PveNode } from "./node";
import { accessEndpoints } from "./routes/access";
import { clusterEndpoints } from "./routes/cluster";
import { downloadEndpoints } from "./routes/downloads";
import { lxcEndpoints } from "./routes/lxc";
import { lxcCloneEndpoints } from "./routes/lxcClone";
import { lxcStatusEndpoints } from "./routes/lxcStatus";
import { nodeEndpoints } from "./routes/nodes";
import { qemuEndpoints } from "./routes/qemu";
import { qemuAgentEndpoints } from "./routes/qemuAgent";
import { qemuDiskEndpoints } from "./routes/qemuDisks";
import { qemuSnapshotEndpoints } from "./routes/qemuSnapshots";
import { qemuStatusEndpoints } from "./routes/qemuStatus";
import { poolEndpoints } from "./routes/pools";
import { roleEndpoints } from "./routes/roles";
import { storageEndpoints } from "./routes/storage";
import { taskEndpoints } from "./routes/tasks";
import { tokenEndpoints } from "./routes/tokens";
import { uploadEndpoints } from "./routes/uploads";
import { type StorageHook, StorageStore, type Storages } from "./storage/storageStore";
import { TaskStore, type TaskHook } from "./tasks";
import { NoVms } from "./vms/noVms";

/** Every endpoint that the API serves; for all others it answers 501, as PVE does for unknown ones. */
export const endpoints = [
  ...clusterEndpoints,
  ...nodeEndpoints,
  ...lxcEndpoints,
  ...lxcCloneEndpoints,
  ...lxcStatusEndpoints,
  ...qemuEndpoints,
  ...qemuDiskEndpoints,
  ...qemuSnapshotEndpoints,
  ...qemuStatusEndpoints,
  ...qemuAgentEndpoints,
  ...taskEndpoints,
  ...storageEndpoints,
  ...downloadEndpoints,
  ...uploadEndpoints,
  ...poolEndpoints,
  ...accessEndpoints,
  ...roleEndpoints,
  ...tokenEndpoints,
];

export interface PveServerOptions {
  /** The folder for `/etc/pve`: configurations, users, tokens. Made if it is missing. */
  readonly etcPve: string;
  /** Folder of tasks and their logs. */
  readonly stateDir: string;
  /** Name of the node. */
  readonly node: string;
  readonly listen: { readonly host: string; /** 0 picks a free one. */ readonly port: number };
  /** Certificate chain and key, PEM. */
  readonly tls: { readonly cert: string | Buffer; readonly key: string | Buffer };
  /** Unix socket that serves the same API to root, without login. */
  readonly socket?: string;
  readonly driver: ContainerDriver;
  /** Runs virtual machines; without it none can be made. */
  readonly vms?: VmDriver;
  /** A function if they can change while the API runs. */
  readonly storages: Storages | (() => Storages);
  /** Default `vmbr0`. */
  readonly bridges?: readonly string[];
  /** cgroup version that the node reports; default 2. */
  readonly cgroupMode?: () => number;
  /** How long the answer to a refused login is delayed; default three seconds, as in PVE. */
  readonly unauthorizedDelayMs?: number;
  /** How long a call waits for another that locks the guest; default ten seconds, as in PVE. */
  readonly lockTimeoutMs?: number;
  /** Folder of the guests' lock files, `/run/lock`; none by default. */
  readonly lockDir?: string;
  /** Runs before each request that comes over HTTPS, and may fail it. */
  readonly onRequest?: RequestHook;
  /** Runs inside each task before its work, and may fail it. */
  readonly onTask?: TaskHook;
  /** Decides which storages are full. */
  readonly onStorage?: StorageHook;
  /** Receives each request with its answer. */
  readonly onExchange?: (exchange: Exchange) => void;
}

export interface PveServer {
  /** `https://198.18.1.1:8006`. */
  readonly url: string;
  /** Resolves when no task runs. */
  idle(): Promise<void>;
  /** Stops listening and abandons running tasks: the next server shows them as failed. */
  close(): Promise<void>;
}

/**
 * Serves the Proxmox VE API of one node.
 *
 * All state is in files, so a server that starts again on the same folders has the same state. A task that was running
 * then has failed (`unexpected status`).
 */
export async function startPveServer(options: PveServerOptions): Promise<PveServer> {
  fs.mkdirSync(path.join(options.etcPve, "priv"), { recursive: true, mode: 0o700 });
  const guests = (kind: GuestKind) =>
    new GuestStore(options.etcPve, options.node, kind, options.lockTimeoutMs, options.lockDir);
  const [containers, vms] = [guests(container), guests(virtualMachine)];
  linkOwnNode(options.etcPve, options.node);
  const parts = {
    name: options.node,
    access: new AccessStore(options.etcPve),
    storages: new StorageStore(storagesOf(options), [containers, vms], options.onStorage),
    tasks: new TaskStore(path.join(options.stateDir, "tasks"), options.node, options.onTask),
    bridges: options.bridges ?? ["vmbr0"],
    cgroupMode: options.cgroupMode ?? (() => 2),
  };
  const node: PveNode = {
    ...parts,
    lxc: { ...parts, kind: container, guests: containers, driver: options.driver },
    qemu: { ...parts, kind: virtualMachine, guests: vms, driver: options.vms ?? new NoVms() },
  };
  const common = {
    ...{ node, endpoints, unauthorizedDelayMs: options.unauthorizedDelayMs ?? 3000 },
    ...(options.onExchange && { onExchange: options.onExchange }),
  };
  const api = createApp({ ...common, tls: options.tls, ...(options.onRequest && { onRequest: options.onRequest }) });
  const local = options.socket === undefined ? undefined : createApp(common);
  const url = await api.listen(options.listen);
  if (local && options.socket !== undefined) {
    fs.rmSync(options.socket, { force: true });
    // Only root may use it, also in the moment before its mode is set.
    const mask = process.umask(0o177);
    try {
      await local.listen({ path: options.socket });
    } finally {
      process.umask(mask);
    }
  }
  return {
    url,
    idle: () => node.tasks.allEnded(),
    close: async () => {
      node.tasks.close();
      await Promise.all([api.close(), local?.close()]);
    },
  };
}

/** Links `/etc/pve/lxc`, `/etc/pve/qemu-server` and `/etc/pve/local` to the node's folder, as on a Proxmox host. */
function linkOwnNode(etcPve: string, node: string): void {
  for (const [name, target] of [
    ["local", path.join("nodes", node)],
    ...guestKinds.map(({ folder }) => [folder, path.join("nodes", node, folder)] as const),
  ] as const) {
    const link = path.join(etcPve, name);
    if (!fs.existsSync(link)) fs.symlinkSync(target, link);
  }
}

function storagesOf({ storages }: PveServerOptions): () => Storages {
  return typeof storages === "function" ? storages : () => storages;
}
