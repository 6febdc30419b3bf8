# The way from the Proxmox host to the cluster: kubectl inside a server that answers. No credential of the cluster is
# ever on the host, and none of the host on a node.
CLUSTER_DIR=/var/lib/proxmox-k3s/$CLUSTER_ID

# servers: "VMID name" of every server that the last plan has, one a line.
servers() {
  [ -r "$CLUSTER_DIR/servers" ] || fail "the roster $CLUSTER_DIR/servers is missing on the Proxmox host" "pulumi up writes it again"
  cat "$CLUSTER_DIR/servers"
}

# find_server [EXCEPT]: sets SERVER to the VMID of a server whose API answers; EXCEPT is a node's name.
find_server() {
  SERVER=
  while read -r vmid name; do
    [ "$name" != "${1:-}" ] || continue
    if timeout 10 pct exec "$vmid" -- k3s kubectl get --raw=/readyz >/dev/null 2>&1 </dev/null; then
      SERVER=$vmid
      return 0
    fi
  done <<EOF
$(servers)
EOF
  return 1
}

# await_server SECONDS [EXCEPT]
await_server() {
  began=$(now)
  until find_server "${2:-}"; do
    [ $(($(now) - began)) -lt "$1" ] || return 1
    sleep 0.5
  done
}

# A server that hangs must not hold a step for longer than this many seconds a call.
KUBECTL_BOUND=90
kubectl() { timeout -k 5 "$KUBECTL_BOUND" pct exec "$SERVER" -- k3s kubectl "$@" </dev/null; }
