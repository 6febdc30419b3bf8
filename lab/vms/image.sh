#!/bin/sh
# Makes a bootable disk from a tree of Debian's packages, as vendors of cloud images do: GRUB for a BIOS, one partition, and
# nothing that belongs to one machine only. Needs no loop device.
#
# usage: image.sh TREE DISK; makes DISK as a raw file
set -eu
tree=$1
disk=$2
size=2200 # MiB

kernel=$(cd "$tree/lib/modules" && echo *)
uuid=$(cat /proc/sys/kernel/random/uuid)
# The arguments after `quiet` save time on an emulated processor: guests of the lab need no protection from each other.
arguments="root=UUID=$uuid ro console=ttyS0,115200 quiet loglevel=3 mitigations=off nokaslr audit=0 apparmor=0 selinux=0"
arguments="$arguments cryptomgr.notests tsc=reliable no_timer_check systemd.show_status=0 fsck.mode=skip"

write() { mkdir -p "$tree/${1%/*}" && cat >"$tree/$1"; }

# --- identity: the first boot makes it
rm -f "$tree"/etc/ssh/ssh_host_* "$tree/etc/hostname" "$tree/var/lib/dbus/machine-id"
: >"$tree/etc/machine-id"

# --- network by cloud-init and systemd-networkd, names by systemd-resolved
ln -sf ../run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"
chroot "$tree" systemctl -q enable systemd-networkd.service systemd-resolved.service
write etc/cloud/cloud.cfg.d/95_lab.cfg <<'END'
datasource_list: [ NoCloud ]
# One host key: an RSA key costs three seconds here.
ssh_genkeytypes: [ ed25519 ]
no_ssh_fingerprints: true
ssh:
  emit_keys_to_console: false
# Without modules that a lab does not need (locale, apt sources, Puppet and so on): each takes time at a boot.
cloud_init_modules:
  [ bootcmd, write-files, growpart, resizefs, set_hostname, update_hostname, update_etc_hosts, users-groups, ssh ]
cloud_config_modules: [ set-passwords, runcmd ]
cloud_final_modules: [ package-update-upgrade-install, scripts-vendor, scripts-user, final-message ]
END

# --- units that only take time at the boot, because machines of the lab run for minutes
units="systemd-networkd-wait-online.service e2scrub_reap.service e2scrub_all.timer apt-daily.timer apt-daily-upgrade.timer
  fstrim.timer dpkg-db-backup.timer systemd-binfmt.service systemd-pstore.service sys-kernel-debug.mount
  sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount getty@tty1.service
  cloud-init-hotplugd.socket open-iscsi.service systemd-timesyncd.service modprobe@drm.service
  modprobe@efi_pstore.service modprobe@fuse.service modprobe@configfs.service proc-sys-fs-binfmt_misc.automount
  systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-firstboot.service
  systemd-machine-id-commit.service"
for unit in $units; do
  rm -f "$tree"/etc/systemd/system/*.wants/"$unit"
  ln -sf /dev/null "$tree/etc/systemd/system/$unit"
done

# --- initrd: busybox and the modules for a root on a virtio disk. Debian's own, with udev, takes much longer at each boot
initrd=$(mktemp -d)
mkdir -p "$initrd/bin" "$initrd/dev" "$initrd/proc" "$initrd/sys" "$initrd/root" "$initrd/modules"
cp "$tree/bin/busybox" "$initrd/bin/busybox"
for module in virtio_pci virtio_blk virtio_scsi sd_mod ext4; do
  chroot "$tree" modprobe --set-version "$kernel" --show-depends "$module"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r file; do
  name=$(basename "$file" .xz)
  case $file in
    *.xz) xz -dc "$tree$file" >"$initrd/modules/$name" ;;
    *) cp "$tree$file" "$initrd/modules/$name" ;;
  esac
  echo "$name" >>"$initrd/modules/list"
done
cat >"$initrd/init" <<'END'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
while read -r module; do $b insmod "/modules/$module"; done </modules/list
root=
for word in $($b cat /proc/cmdline); do case $word in root=*) root=${word#root=} ;; esac; done
looks=0
until device=$($b findfs "$root" 2>/dev/null); do
  looks=$((looks + 1))
  [ "$looks" -lt 600 ] || { echo "no disk $root"; $b poweroff -f; }
  $b usleep 50000
done
$b mount -o ro "$device" /root
$b mount -o move /dev /root/dev
$b umount /sys
$b umount /proc
exec $b switch_root /root /sbin/init
END
chmod 0755 "$initrd/init"
mv "$initrd" "$tree/tmp/initrd"
chroot "$tree" sh -c "cd /tmp/initrd && find . | cpio -o -H newc --quiet" >"$tree/boot/initrd-lab"
rm -r "$tree/tmp/initrd" "$tree"/boot/initrd.img-*

# --- boot loader
echo "UUID=$uuid / ext4 errors=remount-ro 0 1" >"$tree/etc/fstab"
write boot/grub/grub.cfg <<END
set timeout=0
serial --unit=0 --speed=115200
terminal_output serial
search --no-floppy --fs-uuid --set=root $uuid
linux /boot/vmlinuz-$kernel $arguments
initrd /boot/initrd-lab
boot
END
modules="biosdisk part_msdos ext2 normal linux configfile serial terminal echo search search_fs_uuid minicmd"
# shellcheck disable=SC2086 # words
chroot "$tree" grub-mkimage -d /usr/lib/grub/i386-pc -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /tmp/core.img $modules
mv "$tree/tmp/core.img" "$disk.core"

# --- disk
rm -f "$disk"
truncate -s "${size}M" "$disk"
printf 'label: dos\n1MiB,,L,*\n' | sfdisk -q "$disk"
mke2fs -q -t ext4 -U "$uuid" -L root -d "$tree" -E offset=1048576,root_owner=0:0 -F "$disk" "$(((size - 1) * 1024))k"
# Keep the partition table behind the first 440 bytes.
dd if="$tree/usr/lib/grub/i386-pc/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
dd if="$disk.core" of="$disk" bs=512 seek=1 conv=notrunc status=none
rm "$disk.core"
