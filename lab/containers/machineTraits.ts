import * as fs from "node:fs";
import * as path from "node:path";

/** How the machine under the lab differs from a Proxmox VE 9 host. */
export interface MachineTraits {
  /** The controllers are in the version 1 hierarchies; Proxmox VE 9 has only version 2. */
  readonly cgroupV1: boolean;
  /** Processes may be protected from the out-of-memory killer (CAP_SYS_RESOURCE), which containerd and kubelet do. */
  readonly canProtectFromOom: boolean;
  /** AppArmor confines containers. */
  readonly appArmor: boolean;
}

/** `f_type` of a cgroup2 mount, see statfs(2). */
const cgroup2Magic = 0x63677270;
const capSysResource = 24n;

export function detectTraits(): MachineTraits {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(fs.readFileSync("/proc/self/status", "utf8"))![1]!;
  return {
    cgroupV1: fs.statfsSync("/sys/fs/cgroup").type !== cgroup2Magic,
    canProtectFromOom: ((BigInt(`0x${effective}`) >> capSysResource) & 1n) === 1n,
    appArmor: readFlag("/sys/module/apparmor/parameters/enabled") === "Y",
  };
}

function readFlag(file: string): string | undefined {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : undefined;
}

/**
 * Writes into a guest what K3s needs on a machine with these traits. On a machine like a Proxmox host that is only what the
 * lab's disks make necessary. Only the lab does this: nodes on a real Proxmox host get none of it.
 */
export function writeTraits(rootfs: string, traits: MachineTraits): void {
  const files = [
    ...diskFiles,
    ...(traits.cgroupV1 ? cgroupV1Files : []),
    ...(traits.canProtectFromOom ? [] : oomFiles),
  ];
  for (const { name, text, mode } of files) {
    const file = path.join(rootfs, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text, { mode: mode ?? 0o644 });
  }
  if (traits.cgroupV1) enable(rootfs, "lab-cgroup-v1.service");
}

interface TraitFile {
  name: string;
  text: string;
  mode?: number;
}

const diskFiles: readonly TraitFile[] = [
  {
    // The lab does not enforce the size of a disk, so kubelet sees the whole machine's. If that is 85 % full, it would delete
    // images that nothing runs, pause's first, and from 95 % on evict pods.
    name: "etc/rancher/k3s/config.yaml.d/98-lab.yaml",
    text: `kubelet-arg+:
  - image-gc-high-threshold=100
  - eviction-hard=imagefs.available<1%,nodefs.available<1%
`,
  },
];

// With INVOCATION_ID set, K3s takes the systemd cgroup driver, which needs controllers that systemd of the guest cannot
// delegate on version 1 (https://docs.k3s.io, "cgroup driver").
const unsetInvocation = `[Unit]
Wants=lab-cgroup-v1.service
After=lab-cgroup-v1.service
[Service]
UnsetEnvironment=INVOCATION_ID
`;

const cgroupV1Files: readonly TraitFile[] = [
  {
    name: "etc/systemd/system/lab-cgroup-v1.service",
    text: `[Unit]
Description=Lab: controllers cpu and cpuacct, mounted one by one
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-cgroup-v1

[Install]
WantedBy=sysinit.target
`,
  },
  {
    name: "usr/local/sbin/lab-cgroup-v1",
    mode: 0o755,
    // systemd mounts cpu and cpuacct together. That fails if the machine has them apart: an empty folder and two links to
    // it remain, and kubelet finds no cpu controller.
    text: `#!/bin/sh
set -eu
mount -o remount,rw /sys/fs/cgroup
for controller in cpu cpuacct; do
  dir=/sys/fs/cgroup/$controller
  if mountpoint -q "$dir"; then continue; fi
  rm -f "$dir"
  mkdir -p "$dir"
  mount -t cgroup -o "$controller" cgroup "$dir"
done
mount -o remount,ro /sys/fs/cgroup
`,
  },
  { name: "etc/systemd/system/k3s.service.d/lab.conf", text: unsetInvocation },
  { name: "etc/systemd/system/k3s-agent.service.d/lab.conf", text: unsetInvocation },
  {
    // Since 1.35 kubelet refuses version 1 by default (KEP-5573).
    name: "etc/rancher/k3s/config.yaml.d/99-lab.yaml",
    text: `kubelet-arg+:\n  - fail-cgroupv1=false\n`,
  },
];

const oomFiles: readonly TraitFile[] = [
  {
    // Without it, runc fails with "can't get final child's PID", because it may not lower oom_score_adj.
    name: "var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/99-lab.toml",
    text: `version = 3\n[plugins.'io.containerd.cri.v1.runtime']\n  restrict_oom_score_adj = true\n`,
  },
];

/** What `systemctl enable` does. */
function enable(rootfs: string, unit: string): void {
  const folder = path.join(rootfs, "etc/systemd/system/sysinit.target.wants");
  fs.mkdirSync(folder, { recursive: true });
  const link = path.join(folder, unit);
  fs.rmSync(link, { force: true });
  fs.symlinkSync(`../${unit}`, link);
}
