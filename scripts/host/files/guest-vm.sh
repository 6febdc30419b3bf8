# Runs inside a virtual machine, on stdin of `sh -s`: what a clone needs beside SSH. Says "new machine id" if it must restart.
set -eu

# Proxmox VE gives cloud-init a new instance id whenever the machine's address or DNS changes, and cloud-init would make new host
# keys then.
mkdir -p /etc/cloud/cloud.cfg.d
echo 'ssh_deletekeys: false' >/etc/cloud/cloud.cfg.d/99-proxmox-k3s.cfg

# A template that was not cleaned gives all its clones the same machine id: older than this first boot. What is derived from it,
# for example the id in DHCP, would be the same too.
booted=$(($(date +%s) - $(cut -d. -f1 /proc/uptime)))
if [ ! -e /var/lib/proxmox-k3s ] && [ -s /etc/machine-id ] && [ "$(stat -c %Y /etc/machine-id)" -lt $((booted - 60)) ]; then
  rm -f /etc/machine-id /var/lib/dbus/machine-id
  systemd-machine-id-setup
  if [ -d /var/lib/dbus ]; then ln -s /etc/machine-id /var/lib/dbus/machine-id; fi
  echo "new machine id"
fi

# quietly COMMAND…: what it says is of use only if it fails.
quietly() { said=$("$@" 2>&1) || { code=$?; printf '%s\n' "$said" >&2; return "$code"; }; }

# The root file system takes all of its disk, which may have grown.
read -r device type <<EOF
$(findmnt -nro SOURCE,FSTYPE /)
EOF
name=$(basename "$(readlink -f "$device")")
if [ -e "/sys/class/block/$name/partition" ]; then
  disk=$(basename "$(dirname "$(readlink -f "/sys/class/block/$name")")")
  if command -v growpart >/dev/null; then
    growpart "/dev/$disk" "$(cat "/sys/class/block/$name/partition")" >/dev/null || [ $? -eq 1 ] # 1: it has all of the disk already
  elif [ -e /etc/NIXOS ]; then
    echo "the partition of / takes all of its disk at the next boot"
  else
    echo "no growpart in this machine, so the partition of / stays as it is: install cloud-guest-utils"
  fi
fi
case $type in
  ext[234]) quietly resize2fs "$device" ;;
  xfs) quietly xfs_growfs / ;;
  btrfs) quietly btrfs filesystem resize max / ;;
  *) echo "the file system of / is $type, which this program does not grow" ;;
esac
