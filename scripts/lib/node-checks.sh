# Checks what K3s needs on a node. Runs on the node itself, before K3s is touched, and changes nothing. Arguments: NAME, ARCH. Optional,
# each with its own checks: ROLE, CONFIG (K3s' config.yaml; with the file zfs-snapshotters), URL (the server to join), NETWORKS (those
# of pods and services).

case $ARCH in
  amd64) MACHINE=x86_64 BINARY_FILE=k3s ;;
  arm64) MACHINE=aarch64 BINARY_FILE=k3s-arm64 ;;
esac
# Exists on a node that has joined. Some checks concern only a node that has not.
STAMP=/var/lib/proxmox-k3s/started

# finding ok|warn|fail CHECK SEEN [REMEDY]
finding() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4:-}"; }

node_checks() {
  if [ "$(hostname)" = "$NAME" ]; then finding ok host-name "$NAME"; else
    finding fail host-name "the host name is $(hostname), not $NAME" "a changed host name needs a reboot of the guest"
  fi
  if [ "$(uname -m)" = "$MACHINE" ]; then finding ok architecture "$ARCH"; else
    finding fail architecture "the architecture is $(uname -m), not $ARCH" "set proxmox.architecture"
  fi
  if [ -c /dev/kmsg ]; then finding ok kmsg "/dev/kmsg is there"; else
    finding fail kmsg "/dev/kmsg is missing, so the kubelet would not start" "add the raw line lxc.mount.entry: /dev/kmsg … to the container, then restart it"
  fi
  if ip -4 route show default | grep -q .; then finding ok route "there is a default route"; else
    finding fail route "there is no default route" "set network.gateway"
  fi
  free=$(df -Pk /var/lib | awk 'NR == 2 { print int($4 / 1024) }')
  if [ "$free" -ge 1024 ]; then finding ok disk "$free MiB are free below /var/lib"; else
    finding fail disk "only $free MiB are free below /var/lib" "give the node a larger disk"
  fi
  check_memory
  check_cgroup
  check_kernel
  check_snapshotter
  # An interrupted first start of K3s leaves its own routes and ports. They were checked before the node had its token, which
  # is written after the checks on every system. (config.yaml is not: on NixOS it comes earlier.)
  if [ ! -e "$STAMP" ] && [ ! -e /etc/rancher/k3s/token ]; then
    check_networks
    check_ports
  fi
  [ -e "$STAMP" ] || check_server
}

check_memory() {
  available=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
  [ -n "$available" ] || return 0
  if [ "$available" -ge 128 ] || [ -e "$STAMP" ]; then finding ok memory "$available MiB are available"; else
    finding fail memory "only $available MiB of memory are available" "give the node more memory"
  fi
}

# Without the first of these controllers K3s exits. Without the others it runs, but their limits do not work.
check_cgroup() {
  if [ ! -r /sys/fs/cgroup/cgroup.controllers ]; then
    finding warn cgroup "cgroup version 1, which kubelet refuses from 1.35 on" "remove systemd.unified_cgroup_hierarchy=0 from the kernel's command line, then reboot"
    return 0
  fi
  absent=
  for controller in memory cpu pids; do
    grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers || absent="$absent $controller"
  done
  remedy="remove cgroup_disable from the kernel's command line, then reboot"
  case $absent in
    '') finding ok cgroup "version 2" ;;
    *memory*) finding fail cgroup "cgroup controllers are missing:$absent" "$remedy" ;;
    *) finding warn cgroup "cgroup controllers are missing:$absent" "$remedy" ;;
  esac
}

# A container has the kernel of its host, which the preflight checks. If K3s has started before, the kernel is good enough.
check_kernel() {
  if [ -e /run/systemd/container ] || ! command -v modprobe >/dev/null; then return 0; fi
  absent=$(lacks overlay br_netfilter nf_conntrack)
  level=fail
  if [ -z "$absent" ]; then
    level=$(vxlan_level)
    if [ "$level" != ok ]; then absent=$(lacks vxlan); fi
  fi
  if [ -e "$STAMP" ]; then level=warn; fi
  if [ -z "$absent" ]; then finding ok kernel "it has the modules that K3s needs"; else
    finding "$level" kernel "its kernel lacks:$absent" "take an image with a complete kernel, for example linux-image-amd64 of Debian"
  fi
}
# lacks MODULE…
lacks() { for module in "$@"; do [ -e "/sys/module/$module" ] || modprobe -n -q "$module" || printf ' %s' "$module"; done; }
# vxlan_level: the level of the finding if vxlan is missing. Only the options of a server name the flannel backend.
vxlan_level() {
  case ${ROLE:-},$(printf '%s\n' "${CONFIG:-}" | sed -n 's/^flannel-backend: *//p') in
    *,*vxlan*) echo fail ;;
    *,?*) echo ok ;;
    server,) if [ -n "${CONFIG:-}" ]; then echo fail; else echo warn; fi ;;
    *) echo warn ;;
  esac
}

# The step that only fetches files does not know K3s' options.
check_snapshotter() {
  if [ -z "${CONFIG:-}" ] || [ "$(awk '$2 == "/" { type = $3 } END { print type }' /proc/mounts)" != zfs ]; then return 0; fi
  printf '%s\n' "$CONFIG" | sed -n 's/^snapshotter: //p' | grep -qxFf "$WORK/zfs-snapshotters" ||
    finding fail snapshotter "the root file system is ZFS, where overlayfs does not work" "put the guest on LVM-thin, ext4 or a zvol; or set snapshotter: native in k3s.serverConfig and k3s.agentConfig"
}

# check_networks: no route of the node goes into the networks of pods and services.
check_networks() {
  [ -n "${NETWORKS:-}" ] || return 0
  overlaps=$({ printf '%s\n' "$NETWORKS"; echo; ip -4 route show; } | awk '
    function first(text, part) { split(text, part, /[.\/]/); return ((part[1] * 256 + part[2]) * 256 + part[3]) * 256 + part[4] }
    function size(text) { return 2 ^ (32 - (text ~ /\// ? substr(text, index(text, "/") + 1) : 32)) }
    function start(text) { return first(text) - first(text) % size(text) }
    NF == 0 { routes = 1; next }
    !routes { network[++count] = $1; next }
    $1 ~ /^[0-9.]+(\/[0-9]+)?$/ && !/ dev (cni0|flannel|kube-)/ {
      for (i = 1; i <= count; i++)
        if (start($1) < start(network[i]) + size(network[i]) && start(network[i]) < start($1) + size($1)) print $1 " and " network[i]
    }' | paste -s -d ';' -)
  if [ -z "$overlaps" ]; then finding ok networks "no route goes into the networks of pods and services"; else
    finding fail networks "networks overlap: $overlaps" "remove the route from the node (ip route shows its interface), or set network.podCidr and network.serviceCidr before the first up"
  fi
}

# check_ports: after an interrupted first start, K3s itself may have these ports.
check_ports() {
  if ! command -v ss >/dev/null || systemctl is-active -q k3s k3s-agent 2>/dev/null; then return 0; fi
  own_ports=10250
  if [ "${ROLE:-}" = server ]; then own_ports="10250 6443"; fi
  taken=
  for port in $own_ports; do
    holder=$(ss -Hltnp "sport = :$port" 2>/dev/null | head -n 1)
    case $holder in '' | *k3s* | *kubelet*) ;; *) taken="$taken $port" ;; esac
  done
  if [ -z "$taken" ]; then finding ok ports "nothing else listens on K3s' ports"; else
    finding fail ports "something else listens on K3s' port:$taken" "stop it: ss -ltnp on the node names it"
  fi
}

# reaches ADDRESS PORT: something listens there.
# shellcheck disable=SC2016 # the values of bash
reaches() { timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$1" "$2" 2>/dev/null; }

# time_at URL: the Date header of the answer, in seconds since the epoch; empty if there is none. The certificate is not verified: only
# the clock is read.
time_at() {
  if command -v curl >/dev/null; then curl -sk -m 5 -o /dev/null -D - "$1/ping" 2>/dev/null
  else wget -q -S -T 5 -t 1 --no-check-certificate -O /dev/null "$1/ping" 2>&1; fi |
    sed -n 's/^ *[Dd]ate: *\([A-Za-z0-9:, ]*GMT\).*/\1/p' | head -n 1 | xargs -r -I '{}' date -d '{}' +%s 2>/dev/null || :
}

# check_server: the server to join answers, and its clock agrees with the node's, which certificates and etcd need.
check_server() {
  if [ -z "${URL:-}" ] || ! command -v bash >/dev/null; then return 0; fi
  host=${URL#https://}
  # The first server joins no other server.
  if ip -4 -oneline address show | grep -qF " ${host%:*}/"; then return 0; fi
  if ! reaches "${host%:*}" "${host##*:}"; then
    finding fail api "no server answers at $URL" "see that $URL is reachable from $NAME and that K3s runs there"
    return 0
  fi
  finding ok api "$URL answers"
  before=$(date +%s)
  there=$(time_at "$URL")
  after=$(date +%s)
  [ -n "$there" ] || return 0
  # Both are cut to whole seconds, so a small difference does not count.
  off=0
  if [ "$((there - after))" -gt 0 ]; then off=$((there - after)); elif [ "$((before - there))" -gt 0 ]; then off=$((before - there)); fi
  if [ "$off" -le 2 ]; then finding ok time "its clock is the server's"; else
    finding fail time "its clock is $off s off the server's" "set the clock of both: timedatectl on the node says whether it is synchronized"
  fi
}
