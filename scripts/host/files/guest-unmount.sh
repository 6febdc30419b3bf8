# Unmounts a disk that Longhorn no longer has, also for later boots; its data stays. Runs in the guest. Argument: the disk's serial.
set -eu
at=/mnt/longhorn/$1
awk -v at="$at" '/^[ \t]*#/ || $2 != at' /etc/fstab >/etc/fstab.new
if cmp -s /etc/fstab.new /etc/fstab; then
  rm -f /etc/fstab.new
else
  chmod 0644 /etc/fstab.new
  mv -f /etc/fstab.new /etc/fstab
  systemctl daemon-reload
fi
# Longhorn may still use it for some moments.
tries=0
while findmnt -nr -M "$at" >/dev/null; do
  umount "$at" && break
  tries=$((tries + 1))
  [ "$tries" -lt 20 ] || exit 1
  sleep 1
done
chattr -i "$at" 2>/dev/null || :
rmdir "$at" 2>/dev/null || :
