# The way from the Proxmox host to the cluster: kubectl inside a server that answers. No credential of the cluster is
# ever on the host, and none of the host on a node.
case $CLUSTER_ID in *[!0-9a-f]* | '') fail "this is no cluster's id: $CLUSTER_ID" "pulumi up" ;; esac
CLUSTER_DIR=/var/lib/proxmox-k3s/$CLUSTER_ID
# As of the last `pulumi up`: a deletion brings the one of its own time along, and most steps bring none.
if [ -r "$CLUSTER_DIR/mark" ]; then MARK=$(cat "$CLUSTER_DIR/mark"); fi
[ -n "${MARK:-}" ] || fail "the roster $CLUSTER_DIR/mark is missing on the Proxmox host" "pulumi up writes it again"
export MARK

# policy KEY: a value of the removal's policy, which the roster keeps as data.
policy() { sed -n "s/^$1=\([a-z0-9]*\)\$/\1/p" "$CLUSTER_DIR/policy"; }

# Notes about nodes, kept here because a node may write its own Node object, and because they are read back with more rights
# than a node has.
NOTES=$CLUSTER_DIR/nodes
LEAVING=$CLUSTER_DIR/leaving

# servers: "VMID name" of every server that the last plan has, one a line.
servers() {
  [ -r "$CLUSTER_DIR/servers" ] || fail "the roster $CLUSTER_DIR/servers is missing on the Proxmox host" "pulumi up writes it again"
  cat "$CLUSTER_DIR/servers"
}

# former_servers: the same of every server that has gone from the plan, or gets another VMID, and has not left the cluster yet.
former_servers() { cat "$CLUSTER_DIR/former" 2>/dev/null || :; }

all_servers() {
  servers
  former_servers
}

# other_guests NAME: those of them that are another server's than NAME and have a guest with our mark.
other_guests() (
  all_servers | while read -r vmid name; do
    if [ "$name" != "$1" ] && has_our_guest "$vmid"; then printf '%s\n' "$vmid $name"; fi
  done
)

# api_answers VMID NAME: the API of the K3s in it, which needs a majority of all servers. A guest that took our server's VMID
# may well run a K3s of its own, so only a trusted one of that name is asked.
api_answers() { trusts "$1" "$2" && GUEST_BOUND=10 guest_exec "$1" k3s kubectl get --raw=/readyz >/dev/null 2>&1; }

# find_server [EXCEPT]: sets SERVER to the VMID of a server whose API answers; EXCEPT is a node's name.
find_server() {
  while read -r SERVER server_name; do
    if [ "$server_name" != "${1:-}" ] && api_answers "$SERVER" "$server_name"; then return 0; fi
  done <<EOF
$(all_servers)
EOF
  return 1
}

# await_server SECONDS [EXCEPT]
await_server() {
  awaited_since=$(now)
  until find_server "${2:-}"; do
    [ $(($(now) - awaited_since)) -lt "$1" ] || return 1
    sleep 0.5
  done
}

# need_server SECONDS: the same; ends the step when none answers.
need_server() {
  await_server "$1" || fail "no server of the cluster answered within $1 s" "see k3s.service on the servers: pct exec VMID -- journalctl -u k3s"
}

# A server that hangs must not hold a step for longer than this many seconds a call.
KUBECTL_BOUND=90
kubectl() { GUEST_BOUND=$KUBECTL_BOUND guest_exec "$SERVER" k3s kubectl "$@"; }

# ca_hash: the SHA-256 of the cluster's CA as K3s writes it into its tokens (K10<hash>::…).
ca_hash() {
  hash=$(guest_exec "$SERVER" sed -n 's/^K10\([0-9a-f]\{64\}\)::server:.*/\1/p' /var/lib/rancher/k3s/server/token)
  printf '%s' "$hash" | grep -qxE '[0-9a-f]{64}' || fail "the server's token file has no CA hash" "pct exec $SERVER -- ls -l /var/lib/rancher/k3s/server"
}

# node_look NAME: "Ready version uninitialized?|since when it has been (not) Ready"; empty when nobody tells.
node_look() {
  kubectl get node "$1" --ignore-not-found -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.nodeInfo.kubeletVersion} {range .spec.taints[?(@.key=="node.cloudprovider.kubernetes.io/uninitialized")]}uninitialized{end}|{.status.conditions[?(@.type=="Ready")].lastTransitionTime}' 2>/dev/null || :
}

# await_ready NAME VERSION SECONDS [LOOK]: waits until the node is Ready, and has been known for so long without a moment in
# which it was not or lost its Ready: K3s may end or restart soon after its start. `*` stands for any version. The clock
# of a former call goes on. Where it is not Ready, LOOK is called each time. When it is not Ready TIMEOUT s after BEGAN:
# fails, with the last look in SEEN.
SEEN='' KNOWN_SINCE=''
await_ready() {
  known="* $2 *" ready="True $2 |*"
  while :; do
    before=$SEEN
    SEEN=$(node_look "$1")
    # shellcheck disable=SC2254 # patterns
    case $SEEN in
      $known) if [ -z "$KNOWN_SINCE" ] || { [ "${before%% *}" = True ] && [ "$SEEN" != "$before" ]; }; then KNOWN_SINCE=$(now); fi ;;
      *) KNOWN_SINCE='' ;;
    esac
    # shellcheck disable=SC2254
    case $SEEN in
      $ready) if [ $(($(now) - KNOWN_SINCE)) -ge "$3" ]; then return 0; fi ;;
      *)
        "${4:-:}"
        if [ $(($(now) - BEGAN)) -ge "$TIMEOUT" ]; then return 1; fi
        ;;
    esac
    sleep 0.5
  done
}
