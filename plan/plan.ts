import { allocatePool, disksOf } from "./allocate";
import { API_PORT } from "./endpoint";
import type { ClusterPlan, FirewallPlan, ImagePlan, K3sPlan, NodePlan, RegistriesPlan, VmSource } from "./model";
import { prefixOf } from "./network";
import { ownMac } from "./ownMac";
import type { Pins } from "./pins";
import type {
  FirewallSettings,
  NodeSettings,
  PoolSettings,
  K3sSettings,
  Settings,
  VmPoolSettings,
} from "../config/schema";
import { asksForStorage, DEFAULT_DISK_LABEL, ISCSI_PACKAGE } from "./rules/storageLabels";
import { resolveSums } from "./sums";
import { CONTROL_PLANE_TAINT, parseTaint, type Taint } from "./taints";
import { osTypeOf } from "../config/template";
import { planWarnings } from "./warnings";

/**
 * Turns valid settings into the plan. Pure: equal settings give an equal plan.
 * @param settings checked by `loadPlan`; this function reports no problems itself
 * @param pins the repository's recorded SHA-256 sums; sums in the config take precedence
 */
export function planCluster(settings: Settings, pins: Pins): ClusterPlan {
  const pools = Object.entries(settings.pools).sort(([a], [b]) => (a < b ? -1 : 1));
  const nodes = pools.flatMap(([name, pool]) => planPool(settings, name, pool));
  const servers = nodes.filter((node) => node.role === "server");
  const agents = nodes.filter((node) => node.role === "agent");
  const { artifacts } = settings.k3s;
  const arch = settings.proxmox.architecture;
  const binary = resolveSums("k3s", arch, artifacts.sha256, pins[settings.version]);
  const images = resolveSums("images", arch, artifacts.imagesSha256, pins[settings.version]);
  const plan: Omit<ClusterPlan, "warnings"> = {
    name: settings.name,
    version: settings.version,
    tag: `k3s-${settings.name}`,
    endpoint: { host: servers[0]?.address ?? "", port: API_PORT },
    arch,
    network: settings.network,
    proxmox: {
      node: settings.proxmox.node,
      region: settings.proxmox.region ?? settings.proxmox.node,
      host: settings.proxmox.host,
      sshPort: settings.proxmox.sshPort,
      sshUser: settings.proxmox.sshUser,
      hostKey: settings.proxmox.hostKey,
      endpoint: settings.proxmox.endpoint ?? `https://${settings.proxmox.host}:8006/`,
      ...(settings.proxmox.caFile !== undefined && { caFile: settings.proxmox.caFile }),
      insecure: settings.proxmox.insecure,
      snippets: settings.proxmox.snippets,
      resourcePool: settings.proxmox.resourcePool ?? settings.name,
    },
    k3s: {
      datastore: settings.k3s.datastore ?? (servers.length > 1 ? "etcd" : "sqlite"),
      source: artifacts.file !== undefined ? { file: artifacts.file } : { baseUrl: artifacts.baseUrl },
      sha256: binary.sums,
      sumOrigin: binary.origin,
      airgapImages: artifacts.airgapImages,
      imagesSha256: images.sums,
      imagesSumOrigin: images.origin,
      disable: settings.k3s.disable,
      ...registriesOf(settings.k3s),
      kubeconfigMode: settings.k3s.kubeconfigMode,
      tlsSans: settings.k3s.tlsSans,
      extraServerConfig: settings.k3s.serverConfig,
      extraAgentConfig: settings.k3s.agentConfig,
      startTimeoutSeconds: settings.k3s.startTimeout,
    },
    ...(settings.firewall.enabled ? { firewall: firewallOf(settings.firewall) } : {}),
    rollout: settings.rollout,
    removal: {
      drainTimeoutSeconds: settings.removal.drainTimeout,
      evictionTimeoutSeconds: settings.removal.evictionTimeout,
      onBlocked: settings.removal.onBlocked,
      onLocalData: settings.removal.onLocalData,
      onDisks: settings.removal.onDisks,
      allowControlPlaneLoss: settings.removal.allowControlPlaneLoss,
    },
    onboarding: settings.onboarding,
    ssh: settings.ssh,
    servers,
    agents,
    nodes: [...servers, ...agents],
  };
  return { ...plan, warnings: planWarnings(plan, settings) };
}

function planPool(settings: Settings, poolName: string, pool: PoolSettings): NodePlan[] {
  const { network, proxmox } = settings;
  return allocatePool(settings.name, poolName, pool).map((identity): NodePlan => {
    const own: Partial<NodeSettings> = pool.nodes[identity.index] ?? {};
    const settled = disksOf(pool, identity.index);
    const hasLonghorn = settled.some(({ longhorn }) => longhorn);
    const labels = { ...(hasLonghorn ? { [DEFAULT_DISK_LABEL]: "config" } : {}), ...pool.labels, ...own.labels };
    const packages = [...new Set([...pool.packages, ...(hasLonghorn ? [ISCSI_PACKAGE] : [])])].sort();
    const common = {
      name: identity.hostname.value,
      pool: poolName,
      index: identity.index,
      role: pool.role,
      proxmoxNode: own.proxmoxNode ?? pool.proxmoxNode ?? proxmox.node,
      vmId: required(identity.vmId.value, "VMID"),
      address: required(identity.address.value, "address"),
      prefix: prefixOf(network.cidr),
      ...(own.mac === undefined ? {} : { mac: own.mac }),
      cores: own.cores ?? pool.cores,
      ...(pool.cpuUnits === undefined ? {} : { cpuUnits: pool.cpuUnits }),
      memoryMiB: own.memory ?? pool.memory,
      diskGiB: own.disk ?? pool.disk,
      storage: required(pool.storage ?? proxmox.storage, "storage"),
      labels,
      taints: taintsOf(settings, pool),
      packages,
      iscsi: packages.includes(ISCSI_PACKAGE) || (isDebian(pool) && asksForStorage(labels)),
      startOnBoot: pool.startOnBoot,
      ...startupOf(pool),
      protect: own.protect ?? pool.protect,
    };
    switch (pool.kind) {
      case "lxc": {
        const template = required(pool.template ?? proxmox.template, "template");
        const osType = required(pool.osType ?? proxmox.osType ?? osTypeOf(template), "osType");
        return { ...common, kind: pool.kind, swapMiB: pool.swap, template, osType };
      }
      case "vm": {
        const { kind, os, cpuType, bios, machine } = pool;
        const { installAgent = pool.image !== undefined && os === undefined } = pool;
        const source = vmSource(pool);
        const disks = settled.map(({ serial, size, storage = common.storage, longhorn }) => ({
          ...{ serial, storage, sizeGiB: size },
          ...(longhorn ? { longhorn } : {}),
        }));
        return {
          ...{ ...common, kind, source, installAgent, cpuType, ownMac: ownMac(settings.name, common), disks },
          ...(os === undefined ? {} : { os }),
          ...(bios === undefined ? {} : { bios }),
          ...(machine === undefined ? {} : { machine }),
          ...(identity.disksVmId === undefined
            ? {}
            : { disksVmId: required(identity.disksVmId.value, "VMID for its disks") }),
        };
      }
      default: {
        const exhaustive: never = pool;
        throw new Error(`unknown kind of pool: ${JSON.stringify(exhaustive)}`);
      }
    }
  });
}

/** On Debian the program enables services. On NixOS the machine's configuration does. */
const isDebian = (pool: PoolSettings): boolean => pool.kind !== "vm" || pool.os !== "nixos";

function vmSource({ template, clone = "full", image }: VmPoolSettings): VmSource {
  return image === undefined ? { template: required(template, "template"), clone } : { image: imageOf(image) };
}

function imageOf({ volume, url, sha256, storage = "local" }: NonNullable<VmPoolSettings["image"]>): ImagePlan {
  if (volume !== undefined) return { volume };
  const address = required(url, "url");
  const format = /\.(raw|vmdk)$/.exec(address)?.[1] as "raw" | "vmdk" | undefined;
  return { url: address, sha256: required(sha256, "sha256"), storage, format: format ?? "qcow2" };
}

function firewallOf({ adminNetworks, nodePorts, extra }: FirewallSettings): FirewallPlan {
  const names = Object.keys(extra).sort();
  return {
    adminNetworks,
    nodePortNetworks: nodePorts ?? adminNetworks,
    extra: names.map((name) => ({ name, ...required(extra[name], name) })),
  };
}

function registriesOf({
  registries: { mirrors, configs },
  embeddedRegistry: embedded,
}: K3sSettings): Pick<K3sPlan, "registries"> {
  if (Object.keys(mirrors).length === 0 && Object.keys(configs).length === 0) return {};
  const planned = Object.entries(configs).map(
    ([
      registry,
      {
        auth,
        tls: { caFile, insecureSkipVerify },
      },
    ]) => [registry, { auth, ...(caFile === undefined ? {} : { caFile }), insecureSkipVerify }],
  );
  return { registries: { mirrors, configs: Object.fromEntries(planned) as RegistriesPlan["configs"], embedded } };
}

/** An empty map changes nothing, because the provider would send nothing for it. */
function startupOf({ startup = {} }: PoolSettings): Pick<NodePlan, "startup"> {
  if (Object.values(startup).every((value) => value === undefined)) return {};
  const { order, upDelay, downDelay } = startup;
  return { startup: { order, upDelaySeconds: upDelay, downDelaySeconds: downDelay } };
}

/**
 * The pool's taints. Servers also get the control-plane taint if there is an agent *pool*. The pool's count does not matter,
 * because scaling agents must not change a server.
 */
function taintsOf(settings: Settings, pool: PoolSettings): Taint[] {
  const taints = pool.taints.map((text) => required(parseTaint(text), "taint"));
  if (pool.role !== "server") return taints;
  const tainted = settings.k3s.controlPlaneTaint ?? Object.values(settings.pools).some(({ role }) => role === "agent");
  const present = taints.some(
    ({ key, effect }) => key === CONTROL_PLANE_TAINT.key && effect === CONTROL_PLANE_TAINT.effect,
  );
  return tainted && !present ? [CONTROL_PLANE_TAINT, ...taints] : taints;
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`planCluster was called with settings that were not checked: no ${what}`);
  return value;
}
