import * as fs from "node:fs";
import * as nodePath from "node:path";

import { type Effect, EFFECTS } from "../../../config/meta";
import { clusterSchema } from "../../../config/schema";
import { metaOf } from "../../../config/walk";
import { ConfigError, loadPlan } from "../../../plan/load";
import { clusterRecordOf } from "../../../plan/record";
import { type NodeEffect, transitions } from "../../../plan/transitions";
import { CONFIG_PAGE, keyTest } from "../../../scripts-dev/configPage";
import { keysBelow } from "../../../scripts-dev/configTables";
import { changed, homelabConfig } from "../config/support";

/*
 * Every key of the config is changed once on the homelab's cluster, and the effect must be the one in `docs/config.md`. The keys come
 * from the schema, so a new key without a line here fails.
 */

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIILx9UeKnbcoEos4i2KFOzoAXSqN+WbsURRyqAG+LHud x";
const worker = (change: unknown) => ({ pools: { worker: change } });
const vm = (change: unknown) => ({ pools: { vms: change } });
const mirror = (change: unknown) => ({ k3s: { registries: { mirrors: { "docker.io": change } } } });
const registry = (change: unknown) => ({ k3s: { registries: { configs: { "registry.lan:5000": change } } } });
const first = (change: unknown) => worker({ nodes: { 1: change } });
const extra = { ports: "9100", networks: ["192.168.2.0/24"] };
const SUM = "b".repeat(64);
const pinned = { sha256: { amd64: SUM } };

/** A change of each key. */
const CHANGES: Readonly<Record<string, unknown>> = {
  name: { name: "lab2" },
  version: { version: "v1.36.4+k3s1" },
  "network.cidr": { network: { cidr: "192.168.0.0/22" } },
  "network.gateway": { network: { gateway: "192.168.2.2" } },
  "network.bridge": { network: { bridge: "vmbr1" } },
  "network.nameservers": { network: { nameservers: ["192.168.2.2"] } },
  "network.searchDomain": { network: { searchDomain: "lan.example.org" } },
  "network.vlan": { network: { vlan: 20 } },
  "network.podCidr": { network: { podCidr: "10.99.0.0/16" } },
  "network.serviceCidr": { network: { serviceCidr: "10.98.0.0/16" } },
  "proxmox.node": { proxmox: { node: "pve2" } },
  "proxmox.region": { proxmox: { region: "lab" } },
  "proxmox.host": { proxmox: { host: "192.168.2.168" } },
  "proxmox.hostKey": { proxmox: { hostKey: KEY } },
  "proxmox.sshPort": { proxmox: { sshPort: 2222 } },
  "proxmox.sshUser": { proxmox: { sshUser: "root" } },
  "proxmox.endpoint": { proxmox: { endpoint: "https://192.168.2.168:8006/" } },
  "proxmox.caFile": { proxmox: { caFile: "certificates/homelab.pem" } },
  "proxmox.insecure": { proxmox: { insecure: true } },
  "proxmox.architecture": { proxmox: { architecture: "arm64" } },
  "proxmox.resourcePool": { proxmox: { resourcePool: "edge" } },
  "proxmox.storage": { proxmox: { storage: "local-lmv" } },
  "proxmox.template": { proxmox: { template: "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst" } },
  "proxmox.snippets": { proxmox: { snippets: "nas" } },
  "proxmox.osType": { proxmox: { osType: "debian" } },
  "ssh.authorizedKeys": { ssh: { authorizedKeys: [KEY] } },
  "k3s.artifacts.baseUrl": { k3s: { artifacts: { baseUrl: "https://mirror.example.org/k3s" } } },
  "k3s.artifacts.file": { k3s: { artifacts: { file: "/var/lib/vz/k3s/v1.36.3+k3s1/k3s", ...pinned } } },
  "k3s.artifacts.sha256.amd64": { k3s: { artifacts: { sha256: { amd64: SUM } } } },
  "k3s.artifacts.sha256.arm64": { k3s: { artifacts: { sha256: { arm64: SUM } } } },
  "k3s.artifacts.airgapImages": { k3s: { artifacts: { airgapImages: true } } },
  "k3s.artifacts.imagesSha256.amd64": { k3s: { artifacts: { imagesSha256: { amd64: SUM } } } },
  "k3s.artifacts.imagesSha256.arm64": { k3s: { artifacts: { imagesSha256: { arm64: SUM } } } },
  "k3s.artifacts.requirePinned": { k3s: { artifacts: { requirePinned: true, ...pinned } } },
  "k3s.datastore": { k3s: { datastore: "etcd" } },
  "k3s.disable": { k3s: { disable: ["traefik"] } },
  "k3s.registries.mirrors.<registry>.endpoints": mirror({ endpoints: ["https://registry.lan:5000"] }),
  "k3s.registries.mirrors.<registry>.rewrites": mirror({
    ...{ endpoints: ["https://registry.lan:5000"], rewrites: { "^library/(.*)": "mirror/$1" } },
  }),
  "k3s.registries.configs.<registry>.auth": registry({ auth: true }),
  "k3s.registries.configs.<registry>.tls.caFile": registry({ tls: { caFile: "certificates/registry.pem" } }),
  "k3s.registries.configs.<registry>.tls.insecureSkipVerify": registry({ tls: { insecureSkipVerify: true } }),
  "k3s.embeddedRegistry": { k3s: { embeddedRegistry: true, registries: { mirrors: { "*": {} } } } },
  "k3s.kubeconfigMode": { k3s: { kubeconfigMode: "640" } },
  "k3s.tlsSans": { k3s: { tlsSans: ["k3s.lan.example.org"] } },
  "k3s.serverConfig": { k3s: { serverConfig: { "flannel-backend": "host-gw" } } },
  "k3s.agentConfig": { k3s: { agentConfig: { "kubelet-arg": ["max-pods=60"] } } },
  "k3s.controlPlaneTaint": { k3s: { controlPlaneTaint: false } },
  "k3s.startTimeout": { k3s: { startTimeout: "20m" } },
  "firewall.enabled": { firewall: { enabled: true, adminNetworks: ["192.168.2.0/24"] } },
  "firewall.adminNetworks": { firewall: { adminNetworks: ["192.168.3.0/24"] } },
  "firewall.nodePorts": { firewall: { nodePorts: ["0.0.0.0/0"] } },
  "firewall.extra.<name>.protocol": { firewall: { extra: { dns: { ...extra, protocol: "udp" } } } },
  "firewall.extra.<name>.ports": { firewall: { extra: { metrics: extra } } },
  "firewall.extra.<name>.networks": { firewall: { extra: { metrics: { ...extra, networks: ["10.0.0.0/8"] } } } },
  "removal.drainTimeout": { removal: { drainTimeout: "20m" } },
  "removal.evictionTimeout": { removal: { evictionTimeout: "3h" } },
  "removal.onBlocked": { removal: { onBlocked: "force" } },
  "removal.onLocalData": { removal: { onLocalData: "delete" } },
  "removal.onDisks": { removal: { onDisks: "delete" } },
  "removal.allowControlPlaneLoss": { removal: { allowControlPlaneLoss: true } },
  "onboarding.http": { onboarding: { http: true } },
  "rollout.concurrency": { rollout: { concurrency: 2 } },
  "pools.<pool>.kind": worker({ kind: "vm" }),
  "pools.<pool>.role": { k3s: { datastore: "etcd" }, ...worker({ role: "server" }) },
  "pools.<pool>.count": worker({ count: 3 }),
  "pools.<pool>.retired": worker({ retired: [2] }),
  "pools.<pool>.hostname": worker({ hostname: "w-{0}" }),
  "pools.<pool>.vmIds": worker({ vmIds: { from: 202 } }),
  "pools.<pool>.addresses": worker({ addresses: { from: "192.168.2.50" } }),
  "pools.<pool>.proxmoxNode": worker({ proxmoxNode: "pve2" }),
  "pools.<pool>.cores": worker({ cores: 6 }),
  "pools.<pool>.cpuUnits": worker({ cpuUnits: 200 }),
  "pools.<pool>.memory": worker({ memory: "9GB" }),
  "pools.<pool>.disk": worker({ disk: "60GB" }),
  "pools.<pool>.storage": worker({ storage: "local-lmv" }),
  "pools.<pool>.labels": worker({ labels: { tier: "1" } }),
  "pools.<pool>.taints": worker({ taints: ["dedicated=storage:NoSchedule"] }),
  "pools.<pool>.packages": worker({ packages: ["jq"] }),
  "pools.<pool>.startOnBoot": worker({ startOnBoot: false }),
  "pools.<pool>.startup.order": worker({ startup: { order: 1 } }),
  "pools.<pool>.startup.upDelay": worker({ startup: { upDelay: "30s" } }),
  "pools.<pool>.startup.downDelay": worker({ startup: { downDelay: "2m" } }),
  "pools.<pool>.protect": worker({ protect: true }),
  "pools.<lxc pool>.swap": worker({ swap: "1GB" }),
  "pools.<lxc pool>.template": worker({ template: "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst" }),
  "pools.<lxc pool>.osType": worker({ osType: "debian" }),
  "pools.<vm pool>.template": vm({ template: 9001 }),
  "pools.<vm pool>.image.url": vm({
    template: null,
    image: { url: "https://mirror.lan/debian-13.qcow2", sha256: SUM },
  }),
  "pools.<vm pool>.image.sha256": vm({
    template: null,
    image: { url: "https://mirror.lan/debian-13.img", sha256: SUM },
  }),
  "pools.<vm pool>.image.storage": vm({
    ...{ template: null, image: { url: "https://mirror.lan/debian-13.img", sha256: SUM, storage: "nas" } },
  }),
  "pools.<vm pool>.image.volume": vm({ template: null, image: { volume: "local:import/debian-13.qcow2" } }),
  "pools.<vm pool>.os": vm({ os: "nixos" }),
  "pools.<vm pool>.installAgent": vm({ installAgent: true }),
  "pools.<vm pool>.clone": vm({ clone: "linked" }),
  "pools.<vm pool>.cpuType": vm({ cpuType: "host" }),
  "pools.<vm pool>.bios": vm({ bios: "ovmf" }),
  "pools.<vm pool>.machine": vm({ machine: "q35" }),
  "pools.<vm pool>.disks": vm({ disks: [{ serial: "data", size: "60GB" }] }),
  "pools.<vm pool>.disksVmIds": vm({ disksVmIds: { from: 330 } }),
  "pools.<pool>.nodes.<index>.hostname": first({ hostname: "big" }),
  "pools.<pool>.nodes.<index>.vmId": first({ vmId: 300 }),
  "pools.<pool>.nodes.<index>.address": first({ address: "192.168.2.60" }),
  "pools.<pool>.nodes.<index>.mac": first({ mac: "BC:24:11:00:00:01" }),
  "pools.<pool>.nodes.<index>.proxmoxNode": first({ proxmoxNode: "pve2" }),
  "pools.<pool>.nodes.<index>.cores": first({ cores: 6 }),
  "pools.<pool>.nodes.<index>.memory": first({ memory: "9GB" }),
  "pools.<pool>.nodes.<index>.disk": first({ disk: "60GB" }),
  "pools.<pool>.nodes.<index>.labels": first({ labels: { tier: "1" } }),
  "pools.<pool>.nodes.<index>.disks": vm({ nodes: { 1: { disks: [{ serial: "data", size: "60GB" }] } } }),
  "pools.<pool>.nodes.<index>.disksVmId": vm({ nodes: { 1: { disksVmId: 330 } } }),
  "pools.<pool>.nodes.<index>.protect": first({ protect: true }),
};

/** No step has these sums: `install-k3s` compares the binary itself, and a release has one sum. */
const UNSEEN = new Set(["k3s.artifacts.sha256.amd64", "k3s.artifacts.sha256.arm64"]);

/** A key's effect on virtual machines, if it is weaker than on containers; its note in the reference says so. */
const OF_VMS: Readonly<Record<string, NodeEffect>> = { "network.bridge": "live", "network.vlan": "live" };

/** The effects that the program may have for each effect in the reference. */
const ALLOWED: Readonly<Record<Effect, readonly (NodeEffect | "refused")[]>> = {
  none: [],
  newNodes: [],
  // Keys of SSH, images and protection change nodes, but neither the machine nor K3s.
  live: ["live"],
  members: ["join", "leave"],
  k3sRestart: ["k3sRestart"],
  reboot: ["reboot"],
  rebuild: ["rebuild"],
  refused: ["refused"],
};

/** The homelab with a pool of virtual machines. */
const base = changed(
  homelabConfig(),
  vm({
    ...{ kind: "vm", role: "agent", count: 1, template: 9000, cores: 2, memory: "4GB", disk: "20GB" },
    ...{ vmIds: { from: 120 }, addresses: { from: "192.168.2.40" } },
    ...{ disks: [{ serial: "data", size: "50GB" }], disksVmIds: { from: 320 } },
  }),
);
const former = clusterRecordOf(loadPlan(base));

/** The effects of a change, each once. */
function seen(change: unknown): (NodeEffect | "refused")[] {
  try {
    const { changes, refusals } = transitions(former, loadPlan(changed(base, change)));
    return refusals.length > 0 ? ["refused"] : [...new Set(changes.map(({ effect }) => effect))];
  } catch (error) {
    if (error instanceof ConfigError) return ["refused"];
    throw error;
  }
}

const keys = keysBelow(clusterSchema).map((key) => ({
  path: key.path.join("."),
  effect: metaOf(key.schema).change,
  title: keyTest(key),
}));

test("every key of the config has a change here, and states its effect", () => {
  expect(keys.map(({ path }) => path).sort()).toEqual(Object.keys(CHANGES).sort());
  expect(keys.filter(({ effect }) => effect === undefined)).toEqual([]);
});

const repo = nodePath.join(__dirname, "../../..");

test("docs/config.md names the test of every key, and the tests of every effect exist", () => {
  const page = fs.readFileSync(nodePath.join(repo, CONFIG_PAGE), "utf8");
  const named = new Set([...page.matchAll(/\| `([^`|]+)` +\|$/gm)].map(([, title]) => title));
  expect(keys.filter(({ title }) => !named.has(title))).toEqual([]);
  const missing = Object.values(EFFECTS).filter(({ test: file }) => !fs.existsSync(nodePath.join(repo, file)));
  expect(missing).toEqual([]);
});

test.each(keys)("$title", ({ path, effect }) => {
  const [effects, allowed] = [seen(CHANGES[path]), [...ALLOWED[effect!], OF_VMS[path]]];
  expect(effects.filter((each) => !allowed.includes(each))).toEqual([]);
  const isQuiet = UNSEEN.has(path) || effect === "live";
  if (!isQuiet) expect(effects.length > 0).toBe(ALLOWED[effect!].length > 0);
});
