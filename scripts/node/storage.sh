# storage (the node itself): prepares the disks that the config gives to Longhorn, before K3s starts: each gets an ext4 file system
# and is mounted at /mnt/longhorn/<serial>, now and at each boot. If a disk has something on it that this program did not make, it is
# never touched. The UUID of our file systems is derived from cluster, node and serial, so the program recognizes a disk after its
# machine was rebuilt.
# Arguments: NAME, LONGHORN_DISKS ("serial GiB", one per line; a larger disk runs this again). Input: CLUSTER_ID.

BY_ID=/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_
MOUNTS=/mnt/longhorn
FSTAB=/etc/fstab
# Longhorn keeps a part of each disk free.
LEAST=10737418240

own_uuid() {
  printf '%s' "proxmox-k3s $CLUSTER_ID $NAME $1" | sha256sum |
    sed -n 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.\{12\}\).*/\1-\2-8\3-8\4-\5/p'
}
mounted_at() { findmnt -nro TARGET -S "$1" 2>/dev/null | head -n 1 || :; }

# look_at SERIAL: sets DEVICE and STATE (empty or ours); ends the step if the disk is neither. Changes nothing.
look_at() {
  asked=$(now)
  until [ -e "$BY_ID$1" ]; do
    [ $(($(now) - asked)) -lt 30 ] || fail "$NAME has no disk with the serial $1" "ls /dev/disk/by-id on the node shows what it has; if pulumi up has just added the disk, reboot the machine, then pulumi up"
    sleep 1
  done
  DEVICE=$(readlink -f "$BY_ID$1")
  [ "$(number_of_bytes "$DEVICE")" -gt "$LEAST" ] || fail "the disk $1 of $NAME is not larger than 10GB, too small for Longhorn" "set a larger size in the config, then pulumi up"
  # What the kernel has on the disk: partitions, LVM, RAID and the like.
  holders=$(lsblk -nro NAME "$DEVICE" | sed 1d | paste -s -d ' ' -)
  signatures=$(wipefs --noheadings --output TYPE,UUID "$DEVICE" | sed 's/  */ /g; s/^ //; s/ $//') ||
    fail "what is on the disk $1 of $NAME could not be read" "wipefs $BY_ID$1 on the node says why; then pulumi up"
  uuid=$(own_uuid "$1")
  at=$(mounted_at "$DEVICE")
  if [ -n "$holders" ]; then stranger "$1" "partitions or volumes ($holders)"; fi
  case $signatures in
    '') STATE=empty ;;
    "ext4 $uuid") STATE=ours ;;
    *) stranger "$1" "$(printf '%s' "$signatures" | tr -c 'A-Za-z0-9._ -' ' ' | cut -c 1-100)" ;;
  esac
  [ "$STATE" = ours ] || ! blkid -p "$DEVICE" >/dev/null 2>&1 || stranger "$1" "a signature that blkid knows"
  case $at in
    '' | "$MOUNTS/$1") ;;
    *) fail "the disk $1 of $NAME is mounted at $(printf '%s' "$at" | tr -c 'A-Za-z0-9._/-' '?'), not at $MOUNTS/$1" "unmount it, remove its line from /etc/fstab, then pulumi up" ;;
  esac
  if [ -z "$at" ] && [ -n "$(ls -A "$MOUNTS/$1" 2>/dev/null)" ]; then
    fail "$MOUNTS/$1 on $NAME has files on the root disk, which a mount would hide" "move them away, then pulumi up"
  fi
}
number_of_bytes() { number_long "$(blockdev --getsize64 "$1" 2>/dev/null || :)"; }
# A size in bytes has more digits than `number` accepts.
number_long() { case $1 in *[!0-9]* | '' | ????????????????*) echo 0 ;; *) echo "$1" ;; esac; }
stranger() {
  fail "the disk $1 of $NAME has something on it that this program did not make: $2; it was not touched" \
    "if nothing on it is needed: wipefs -a $BY_ID$1 on the node, then pulumi up; else remove longhorn: true from this disk in the config"
}

# keep_mounted SERIAL UUID: writes the line of fstab. If the disk is missing, the node boots without it; otherwise K3s starts after
# the mount.
keep_mounted() {
  {
    awk -v at="$MOUNTS/$1" '/^[ \t]*#/ || $2 != at' "$FSTAB" 2>/dev/null || :
    echo "UUID=$2 $MOUNTS/$1 ext4 noatime,nofail,x-systemd.before=k3s.service,x-systemd.before=k3s-agent.service 0 2"
  } >"$WORK/fstab"
  if install_file 0644 "$WORK/fstab" "$FSTAB"; then systemctl daemon-reload; fi
}

printf '%s\n' "$LONGHORN_DISKS" | sed '/^$/d' >"$WORK/longhorn"
# Check all disks before one is changed.
while read -r serial _; do look_at "$serial"; done <"$WORK/longhorn"

while read -r serial _; do
  look_at "$serial"
  if [ "$STATE" = empty ]; then
    say "making an ext4 file system on the disk $serial of $NAME"
    mkfs.ext4 -q -U "$(own_uuid "$serial")" "$DEVICE" </dev/null || fail "the disk $serial of $NAME could not be formatted; the lines above say why" "fix the cause, then pulumi up"
  fi
  if [ -z "$(mounted_at "$DEVICE")" ]; then
    (umask 022 && mkdir -p "$MOUNTS/$serial")
    # While the disk is not mounted, nothing can be written to the root disk in its place. Not every file system supports this.
    chattr +i "$MOUNTS/$serial" 2>/dev/null || :
  fi
  keep_mounted "$serial" "$(own_uuid "$serial")"
  if [ -z "$(mounted_at "$DEVICE")" ]; then
    mount "$MOUNTS/$serial" || fail "the disk $serial of $NAME could not be mounted at $MOUNTS/$serial; the lines above say why" "if it is damaged: fsck $BY_ID$serial on the node; then pulumi up"
  fi
  # The disk may have grown.
  resize2fs "$DEVICE" >"$WORK/resize" 2>&1 || fail "the file system of the disk $serial of $NAME could not grow: $(sed -n 's/^resize2fs: //p' "$WORK/resize" | tail -n 1)" "fix the cause, then pulumi up"
done <"$WORK/longhorn"
outcome "disks for Longhorn on $NAME: $(cut -d' ' -f1 "$WORK/longhorn" | paste -s -d ' ' -)"
