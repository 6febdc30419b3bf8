import * as fs from "node:fs";
import type { GuestConfig, RawLine } from "../pve/guestConfig";
import { limitLines, v1Twin } from "./cgroups";
import type { MachineTraits } from "./machineTraits";
import { guestNetworks } from "./network";

/** The folder, cgroup, traits and CPUs for a container on this machine. */
export interface LxcPlace {
  /** Folder of all containers, `/var/lib/lxc`. */
  readonly lxcPath: string;
  /** cgroup of the lab's containers, below the root of each hierarchy. */
  readonly cgroup: string;
  readonly traits: MachineTraits;
  /** CPUs that the container may use, `0-1`; all of them by default. */
  readonly cpus?: string;
}

/**
 * The LXC configuration of a privileged guest, computed as `PVE::LXC::update_lxc_config` does: PVE's defaults first, raw
 * lines of the guest last, so that they override the defaults.
 *
 * Two things differ. On cgroup version 1 each `lxc.cgroup2.*` line, raw or not, has its twin for version 1 next to it. And
 * LXC itself sets the guest's addresses (PVE does so for `host-managed=1` only), because the base image has no udev
 * and systemd-networkd configures no link without it; an `unmanaged` guest gets none.
 */
export function lxcConfig(vmid: number, config: GuestConfig, place: LxcPlace): string {
  const { options, raw } = config;
  const { lxcPath, cgroup, traits } = place;
  const lines: RawLine[] = [
    ["lxc.cgroup.relative", "0"],
    ["lxc.cgroup.dir.monitor", `${cgroup}/monitor/${vmid}`],
    // The cgroup of the monitor while it cleans up after the container; by default LXC makes one that nobody removes.
    ["lxc.cgroup.dir.monitor.pivot", `${cgroup}/pivot`],
    ["lxc.cgroup.dir.container", `${cgroup}/${vmid}`],
    ["lxc.cgroup.dir.container.inner", "ns"],
    ["lxc.arch", options.get("arch") ?? "amd64"],
    ["lxc.include", commonConfig(options.get("ostype"))],
    ...confinement(config, traits),
    ["lxc.monitor.unshare", "1"],
    ...(options.get("console") === "0" ? [["lxc.console.path", "none"] as const] : []),
    ["lxc.tty.max", options.get("tty") ?? "2"],
    ["lxc.environment", "TERM=linux"],
    ["lxc.uts.name", options.get("hostname") ?? `CT${vmid}`],
    ...limitLines(config),
    ["lxc.rootfs.path", `dir:${lxcPath}/${vmid}/rootfs`],
    ...bindMounts(config),
    ...networkLines(vmid, config),
    ...raw,
    ...(place.cpus && !raw.some(([key]) => key === "lxc.cgroup2.cpuset.cpus")
      ? [["lxc.cgroup2.cpuset.cpus", place.cpus] as const]
      : []),
  ];
  const all = traits.cgroupV1 ? lines.flatMap((line) => [line, ...v1Twin(line)]) : lines;
  return all.map(([key, value]) => `${key} = ${value}\n`).join("");
}

function commonConfig(ostype = "unmanaged"): string {
  const folder = "/usr/share/lxc/config";
  const own = `${folder}/${ostype}.common.conf`;
  return fs.existsSync(own) ? own : `${folder}/common.conf`;
}

/** `make_apparmor_config` and the device that `fuse` adds. keyctl and mknod change nothing for a privileged guest. */
function confinement({ options, raw }: GuestConfig, { appArmor }: MachineTraits): RawLine[] {
  const features = new Set((options.get("features") ?? "").split(",").filter((feature) => feature.endsWith("=1")));
  const lines: RawLine[] = [];
  if (appArmor && !hasRaw(raw, "lxc.apparmor.profile")) {
    lines.push(["lxc.apparmor.profile", "generated"]);
    if (features.has("nesting=1")) lines.push(["lxc.apparmor.allow_nesting", "1"]);
    if (features.has("fuse=1")) lines.push(["lxc.apparmor.raw", "mount fstype=fuse,"]);
  }
  if (features.has("fuse=1")) lines.push(["lxc.mount.entry", "/dev/fuse dev/fuse none bind,create=file 0 0"]);
  return lines;
}

/** PVE's warning at each start about features that a raw profile overrides; undefined if there are none. */
export function overriddenFeatures({ options, raw }: GuestConfig): string | undefined {
  if (!hasRaw(raw, "lxc.apparmor.profile")) return undefined;
  const enabled = (options.get("features") ?? "").split(",");
  const used = ["fuse", "nesting"].filter((feature) => enabled.includes(`${feature}=1`));
  if (used.length === 0) return undefined;
  const names = used.map((feature) => `features:${feature}`).join(", ");
  return `explicitly configured lxc.apparmor.profile overrides the following settings: ${names}`;
}

function hasRaw(raw: readonly RawLine[], wanted: string): boolean {
  return raw.some(([key]) => key === wanted);
}

/** Mount points that are folders of the host. Volumes are only recorded: the lab's storages hold no disks. */
function bindMounts({ options }: GuestConfig): RawLine[] {
  return [...options].flatMap(([key, value]): RawLine[] => {
    const [folder = "", ...rest] = value.split(",");
    const { mp, ro } = Object.fromEntries(rest.map((each) => each.split("="))) as Record<string, string>;
    if (!/^mp\d+$/.test(key) || !folder.startsWith("/") || mp === undefined) return [];
    const flags = `bind,create=dir${ro === "1" ? ",ro" : ""}`;
    return [["lxc.mount.entry", `${folder} ${mp.replace(/^\/+/, "")} none ${flags} 0 0`]];
  });
}

function networkLines(vmid: number, config: GuestConfig): RawLine[] {
  const managed = config.options.get("ostype") !== "unmanaged";
  return guestNetworks(config).flatMap((net) => {
    const line = (key: string, value: string): RawLine => [`lxc.net.${net.index}.${key}`, value];
    const optional = (key: string, value?: string) => (value === undefined ? [] : [line(key, value)]);
    return [
      line("type", "veth"),
      line("veth.pair", `veth${vmid}i${net.index}`),
      line("name", net.name),
      ...optional("hwaddr", net.hwaddr),
      ...optional("mtu", net.mtu),
      ...(net.bridge && !net.linkDown ? [line("link", net.bridge)] : []),
      ...(managed && !net.linkDown
        ? [
            line("flags", "up"),
            ...optional("ipv4.address", net.ip),
            ...optional("ipv4.gateway", net.gw),
            ...optional("ipv6.address", net.ip6),
            ...optional("ipv6.gateway", net.gw6),
          ]
        : []),
    ];
  });
}
