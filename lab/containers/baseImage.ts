import * as fs from "node:fs";
import * as path from "node:path";
import { cached, Log } from "../support/cache";
import { run } from "../host/run";
import { aptMirror } from "./aptMirror";

/** File name of the guests' template in the lab's storage `local`: the name of the real template, which the config asks for. */
export const templateName = "ubuntu-22.04-standard_22.04-1_amd64.tar.zst";

/** What the file behind {@link templateName} really is. */
export const templateOrigin = "Debian 12 (bookworm) minbase with systemd and OpenSSH, made by debootstrap";

/** The release of Debian that all images are made of. */
export const suite = "bookworm";

/** Version of systemd in {@link suite}. */
export const systemdVersion = 252;

/** For every guest: systemd, sshd, and the commands that kubelet, kube-proxy and containerd call. */
const guestPackages = [
  ..."systemd systemd-sysv dbus openssh-server iproute2 iptables nftables ca-certificates curl kmod procps".split(" "),
  ..."iputils-ping util-linux socat conntrack ethtool ipset libseccomp2 netbase less zstd libnss-myhostname".split(" "),
];

/**
 * For the Proxmox host: LXC, sshd, a name server, an init that reaps orphans, a clock that can be off, and what a person or
 * a script looks for there.
 */
const hostPackages = [
  ..."lxc openssh-server tini iproute2 iptables nftables ca-certificates curl kmod procps".split(" "),
  ..."iputils-ping util-linux zstd openssl netbase less jq perl dnsmasq-base libfaketime".split(" "),
];

/** For a Proxmox host with virtual machines. */
const vmPackages = "qemu-system-x86 qemu-utils genisoimage".split(" ");

/**
 * Path of the guests' template, a `tar.zst` like Proxmox's own.
 *
 * Like Proxmox's Ubuntu template it has no SSH host keys and no machine id (the set-up at creation makes them) and
 * nothing below `/run`.
 */
export async function ensureGuestTemplate(log: Log): Promise<string> {
  const dir = await cached(
    "guest-template",
    [suite, "2", ...guestPackages],
    async (building) => {
      const rootfs = path.join(building, "rootfs");
      await debootstrap(rootfs, guestPackages);
      // Without udev, networkd manages no link, and each unit that waits for the network would wait two minutes.
      fs.symlinkSync("/dev/null", path.join(rootfs, "etc/systemd/system/systemd-networkd-wait-online.service"));
      const pack = ["--use-compress-program=zstd -3 -T0", "--numeric-owner", "--xattrs", "-C", rootfs, "-cf"];
      await run("tar", [...pack, path.join(building, templateName), "."]);
      fs.rmSync(rootfs, { recursive: true });
    },
    log,
  );
  return path.join(dir, templateName);
}

/** Folder with the root file system of the Proxmox host, shared read-only by all labs; `withVms` has a separate one. */
export async function ensureHostImage(withVms: boolean, log: Log): Promise<string> {
  const packages = [...hostPackages, ...(withVms ? vmPackages : [])];
  const dir = await cached(
    "host-image",
    [suite, "1", ...packages],
    async (building) => {
      await debootstrap(path.join(building, "rootfs"), packages);
    },
    log,
  );
  return path.join(dir, "rootfs");
}

async function debootstrap(rootfs: string, packages: readonly string[]): Promise<void> {
  const include = `--include=${packages.join(",")}`;
  await run("debootstrap", ["--variant=minbase", include, suite, rootfs, aptMirror()], { env: await downloadEnv() });
  for (const file of fs.readdirSync(path.join(rootfs, "etc/ssh"))) {
    if (file.startsWith("ssh_host_")) fs.rmSync(path.join(rootfs, "etc/ssh", file));
  }
  for (const folder of ["run", "var/cache/apt/archives", "var/lib/apt/lists", "var/log"])
    empty(path.join(rootfs, folder));
  // debootstrap copies the machine's files; the guest's are written at its creation.
  for (const file of ["etc/machine-id", "var/lib/dbus/machine-id", "etc/resolv.conf", "etc/hostname"]) {
    fs.rmSync(path.join(rootfs, file), { force: true });
  }
}

function empty(folder: string): void {
  for (const entry of fs.readdirSync(folder)) fs.rmSync(path.join(folder, entry), { recursive: true });
}

/** debootstrap downloads with wget, which does not know apt's proxy. */
async function downloadEnv(): Promise<NodeJS.ProcessEnv> {
  const shell = await run("apt-config", ["shell", "proxy", "Acquire::http::Proxy"]);
  const proxy = /proxy='([^']+)'/.exec(shell)?.[1];
  return proxy ? { ...process.env, http_proxy: proxy } : process.env;
}
