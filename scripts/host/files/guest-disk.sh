# Runs inside a virtual machine, on stdin of `sh -s`: grows the root file system to the size of its disk, which may have grown.
set -eu

# quietly COMMAND…: prints its output only if it fails.
quietly() { said=$("$@" 2>&1) || { code=$?; printf '%s\n' "$said" >&2; return "$code"; }; }

read -r device type <<EOF
$(findmnt -nro SOURCE,FSTYPE /)
EOF
name=$(basename "$(readlink -f "$device")")
if [ -e "/sys/class/block/$name/partition" ]; then
  disk=$(basename "$(dirname "$(readlink -f "/sys/class/block/$name")")")
  if command -v growpart >/dev/null; then
    growpart "/dev/$disk" "$(cat "/sys/class/block/$name/partition")" >/dev/null || [ $? -eq 1 ] # 1: nothing to grow
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
