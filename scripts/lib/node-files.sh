# What K3s needs on a node, and the files of a release. Runs on the node itself. Arguments: NAME, ARCH amd64|arm64.
# File, with CONFIG: zfs-snapshotters.

BIN=/usr/local/bin/k3s
IMAGES_DIR=/var/lib/rancher/k3s/agent/images
case $ARCH in
  amd64) MACHINE=x86_64 BINARY_FILE=k3s ;;
  arm64) MACHINE=aarch64 BINARY_FILE=k3s-arm64 ;;
  *) fail "unknown architecture $ARCH" ;;
esac
IMAGES_FILE=k3s-airgap-images-$ARCH.tar

# check_node: checks everything that K3s needs, before anything is changed.
check_node() {
  problems=
  problem() { problems="$problems
  - $1 ($2)"; }
  [ "$(hostname)" = "$NAME" ] || problem "the host name is $(hostname), not $NAME" "a changed host name needs a reboot of the guest"
  [ "$(uname -m)" = "$MACHINE" ] || problem "the architecture is $(uname -m), not $ARCH" "set proxmox.architecture"
  [ -c /dev/kmsg ] || problem "/dev/kmsg is missing, so the kubelet would not start" "add the raw line lxc.mount.entry: /dev/kmsg … to the container, then restart it"
  ip -4 route show default | grep -q . || problem "there is no default route" "set network.gateway"
  free=$(df -Pk /var/lib | awk 'NR == 2 { print int($4 / 1024) }')
  [ "$free" -ge 1024 ] || problem "only $free MiB are free below /var/lib" "give the node a larger disk"
  # The step that only fetches files does not know K3s' options.
  if [ -n "${CONFIG:-}" ] && [ "$(awk '$2 == "/" { type = $3 } END { print type }' /proc/mounts)" = zfs ]; then
    printf '%s\n' "$CONFIG" | sed -n 's/^snapshotter: //p' | grep -qxFf "$WORK/zfs-snapshotters" ||
      problem "the root file system is ZFS, where overlayfs does not work" "put the guest on LVM-thin, ext4 or a zvol; or set snapshotter: native in k3s.serverConfig and k3s.agentConfig"
  fi
  [ -z "$problems" ] || fail "$NAME is not ready for K3s:$problems" "fix these, then pulumi up"
}

# has_sum FILE SUM
has_sum() { [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum -c --status; }

# need_sum FILE SUM: removes the file and ends the step if its SHA-256 is another one.
need_sum() {
  found=$(sha256sum "$1" | cut -d' ' -f1)
  [ "$found" != "$2" ] || return 0
  rm -f "$1"
  file=${1##*/}
  fail "${file%.new} has the SHA-256 $found, not the expected $2; it was not used" \
    "check artifacts.baseUrl and artifacts.sha256 in the config: the file or the sum is wrong"
}
