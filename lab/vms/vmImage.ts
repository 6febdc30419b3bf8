import * as fs from "node:fs";
import * as path from "node:path";
import { aptMirror } from "../containers/aptMirror";
import { suite } from "../containers/baseImage";
import type { MachinePackage } from "../host/packages";
import { run } from "../host/run";
import { cached, type Log } from "../support/cache";

/** File name of the image for import in the lab's storage `local`: the name of Debian's own cloud image. */
export const vmImageName = "debian-12-generic-amd64.qcow2";

/** What the file behind {@link vmImageName} really is. */
export const vmImageOrigin = "Debian 12 (bookworm) with GRUB, cloud-init and QEMU's guest agent, made by mmdebstrap";

/** Packages that make the image, on the machine itself. QEMU is in the image of the Proxmox host. */
export const vmImagePackages: readonly MachinePackage[] = [
  { name: "mmdebstrap", command: "mmdebstrap" },
  { name: "qemu-utils", command: "qemu-img" },
  { name: "fdisk", command: "sfdisk" },
  { name: "e2fsprogs", command: "mke2fs" },
];

/** For every machine: what a vendor's cloud image has, what K3s calls, and open-iscsi for storage workloads. */
const packages = [
  ..."linux-image-cloud-amd64 grub-pc-bin grub-common initramfs-tools busybox-static cpio cloud-init".split(" "),
  ..."cloud-guest-utils qemu-guest-agent systemd systemd-sysv systemd-resolved udev dbus openssh-server".split(" "),
  ..."iproute2 iptables nftables ca-certificates curl kmod procps iputils-ping util-linux socat conntrack".split(" "),
  ..."ethtool ipset libseccomp2 netbase less zstd libnss-myhostname open-iscsi e2fsprogs gdisk fdisk sudo".split(" "),
];

/** Path of the image: a qcow2 disk of 2.2 GB, of which some 0.7 GB are in use. */
export async function ensureVmImage(log: Log): Promise<string> {
  const script = path.join(__dirname, "image.sh");
  const dir = await cached(
    "vm-image",
    [suite, ...packages, fs.readFileSync(script, "utf8")],
    async (building) => {
      const [tree, disk] = [path.join(building, "tree"), path.join(building, "disk.raw")];
      const kind = ["--mode=root", "--variant=minbase", "--format=directory"];
      const only = '--aptopt=APT::Install-Recommends "false"';
      const include = `--include=${packages.join(",")}`;
      // Its mounts in the tree end with its namespace, even if it is killed, so the folder can be removed.
      const command = ["--mount", "mmdebstrap", "--quiet", ...kind, only, include, suite, tree, aptMirror()];
      await run("unshare", command);
      await run("sh", [script, tree, disk]);
      await run("qemu-img", ["convert", "-q", "-O", "qcow2", disk, path.join(building, vmImageName)]);
      for (const made of [tree, disk]) fs.rmSync(made, { recursive: true });
    },
    log,
  );
  return path.join(dir, vmImageName);
}
