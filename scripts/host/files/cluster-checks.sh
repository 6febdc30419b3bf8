# Runs inside a guest, after lib/node-checks, on stdin of `sh -s`: checks whether it reaches the pod network and services.
# Arguments: PEERS ("node address" of a pod on each other node, one per line), SERVICE (address of the API's service),
# DNS (address of the cluster's DNS, may be empty).

# echoes ADDRESS: it answers a ping. Without ping: it refuses a connection, which also shows that packets go both ways.
# shellcheck disable=SC2016 # the values of bash
echoes() {
  if command -v ping >/dev/null; then
    ping -n -q -c 1 -W 3 "$1" >/dev/null 2>&1
  else
    said=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/9"' bash "$1" 2>&1) || case $said in *refused*) ;; *) return 1 ;; esac
  fi
}

# named NAME_OR_ADDRESS: the answer of the cluster's DNS, independent of the node's own resolver.
# shellcheck disable=SC2016 # the values of the inner shell
named() {
  printf 'nameserver %s\n' "$DNS" >"$scratch/resolv.conf"
  echo 'hosts: dns' >"$scratch/nsswitch.conf"
  timeout 10 unshare -m sh -c '
    mount --bind "$1/resolv.conf" "$(readlink -f /etc/resolv.conf)" && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf && getent hosts "$2"
  ' sh "$scratch" "$1" 2>/dev/null | head -n 1
}

cluster_checks() {
  scratch=$(mktemp -d) || return 0
  trap 'rm -rf "$scratch"' EXIT
  while read -r peer address; do
    if [ -z "$address" ]; then continue; fi
    { echoes "$address" || echo " $peer" >"$scratch/silent.$peer"; } &
  done <<END
$PEERS
END
  wait
  silent=$(cat "$scratch"/silent.* 2>/dev/null | tr -d '\n')
  if [ -z "$PEERS" ]; then
    finding ok pod-network "no pod runs on another node"
  elif [ -z "$silent" ]; then
    finding ok pod-network "it reaches the pods of all other nodes that have any"
  else
    finding fail pod-network "it does not reach pods on these nodes:$silent" "let 8472/udp pass between the nodes (51820/udp with WireGuard), and see ip route on both, and NetworkPolicies"
  fi

  if reaches "$SERVICE" 443; then finding ok service "it reaches the service kubernetes by its address"; else
    finding fail service "it does not reach the service kubernetes at $SERVICE:443" "journalctl -u k3s -u k3s-agent on the node names what kube-proxy lacks"
  fi
  if [ -z "$DNS" ] || ! command -v unshare >/dev/null; then return 0; fi
  # Look up the name by the address, then the address by the name: this works with any cluster domain.
  name=$(named "$SERVICE" | awk '{ print $2 }')
  if [ -n "$name" ] && [ "$(named "$name" | awk '{ print $1 }')" = "$SERVICE" ]; then
    finding ok service-name "the cluster's DNS knows $name"
  else
    finding fail service-name "the cluster's DNS at $DNS does not name the service kubernetes" "kubectl -n kube-system get pods -l k8s-app=kube-dns says whether CoreDNS runs"
  fi
}
cluster_checks
