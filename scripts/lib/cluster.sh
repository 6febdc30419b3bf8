# Access from the Proxmox host to the cluster: kubectl runs inside a server whose API answers. So no credential of the cluster
# is ever on the host, and none of the host on a node.
case $CLUSTER_ID in *[!0-9a-f]* | '') fail "this is not the id of a cluster: $CLUSTER_ID" "pulumi up" ;; esac
CLUSTER_DIR=/var/lib/proxmox-k3s/$CLUSTER_ID
# The mark of the last `pulumi up`. A deletion carries an older one, and most steps carry none.
if [ -r "$CLUSTER_DIR/mark" ]; then MARK=$(cat "$CLUSTER_DIR/mark"); fi
[ -n "${MARK:-}" ] || fail "the roster $CLUSTER_DIR/mark is missing on the Proxmox host" "pulumi up writes it again"
export MARK

# policy KEY: a value of the removal policy, which the roster keeps as data.
policy() { sed -n "s/^$1=\([a-z0-9]*\)\$/\1/p" "$CLUSTER_DIR/policy"; }

# Notes about nodes. They are kept here and not on the Node objects: a node can write its own Node object, but these notes are
# used with more rights than a node has.
NOTES=$CLUSTER_DIR/nodes
LEAVING=$CLUSTER_DIR/leaving
REBUILDING=$CLUSTER_DIR/rebuilding

# servers: "VMID name" of every server in the last plan, one per line.
servers() {
  [ -r "$CLUSTER_DIR/servers" ] || fail "the roster $CLUSTER_DIR/servers is missing on the Proxmox host" "pulumi up writes it again"
  cat "$CLUSTER_DIR/servers"
}

# former_servers: the same for every server that is no longer in the plan, or gets another VMID, and has not left the cluster.
former_servers() { cat "$CLUSTER_DIR/former" 2>/dev/null || :; }

all_servers() {
  servers
  former_servers
}

# other_guests NAME: "VMID name" of all servers but NAME whose guest has our mark.
other_guests() (
  all_servers | while read -r vmid name; do
    if [ "$name" != "$1" ] && has_our_guest "$vmid"; then printf '%s\n' "$vmid $name"; fi
  done
)

# api_answers VMID NAME: the server's API answers, for which most of the servers must be healthy. Another guest with our
# server's VMID may run a K3s too, so only a trusted guest with this name is asked.
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

# For people: how to start servers, and how to see why they do not answer. Both kinds of machine may be among them.
# shellcheck disable=SC2034
START_SERVERS="start them on the Proxmox host (pct start VMID, or qm start VMID for a virtual machine)"
# shellcheck disable=SC2034
SEE_SERVERS="find the cause in their journalctl -u k3s (pct enter VMID on the Proxmox host, or qm terminal VMID for a virtual machine)"

# need_server SECONDS: as await_server, but ends the step if none answers.
need_server() {
  await_server "$1" || fail "no server of the cluster answered within $1 s" "$SEE_SERVERS, then pulumi up"
}

# Limit in seconds for one call, so that a server that hangs does not block a step.
KUBECTL_BOUND=90
kubectl() { GUEST_BOUND=$KUBECTL_BOUND guest_exec "$SERVER" k3s kubectl "$@"; }

# ask_api ARGUMENT…: sets ANSWER to kubectl's output. An API that does not answer says nothing about the cluster, so ask again for
# API_WAIT seconds, through any server that answers except the one named NAME. Answers 1 if no server gave an answer.
API_WAIT=60
ask_api() {
  api_asked=$(now)
  until ANSWER=$(kubectl "$@"); do
    [ $(($(now) - api_asked)) -lt "$API_WAIT" ] || return 1
    sleep 1
    asked_server=$SERVER
    find_server "${NAME:-}" || SERVER=$asked_server
  done
}

# node_exists NAME: ends the step if no server gave an answer.
node_exists() {
  ask_api get node "$1" --ignore-not-found -o name ||
    fail "no server of the cluster said within $API_WAIT s whether it has the node $1" "$SEE_SERVERS, then pulumi up"
  [ -n "$ANSWER" ]
}

# is_ready NAME: answers 1 if the Node is not Ready, or is not there; 2 if no server gave an answer.
READY='jsonpath={.status.conditions[?(@.type=="Ready")].status}'
is_ready() {
  ask_api get node "$1" --ignore-not-found -o "$READY" || return 2
  [ "$ANSWER" = True ]
}

# ca_hash: the SHA-256 of the cluster's CA as K3s writes it into its tokens (K10<hash>::…).
ca_hash() {
  hash=$(guest_exec "$SERVER" sed -n 's/^K10\([0-9a-f]\{64\}\)::server:.*/\1/p' /var/lib/rancher/k3s/server/token)
  printf '%s' "$hash" | grep -qxE '[0-9a-f]{64}' || fail "the server's token file has no CA hash" "$(guest_command "$SERVER" "ls -l /var/lib/rancher/k3s/server")"
}

# node_look NAME: "Ready version uninitialized?|time of the last change of Ready"; empty if the API does not answer.
node_look() {
  kubectl get node "$1" --ignore-not-found -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.nodeInfo.kubeletVersion} {range .spec.taints[?(@.key=="node.cloudprovider.kubernetes.io/uninitialized")]}uninitialized{end}|{.status.conditions[?(@.type=="Ready")].lastTransitionTime}' 2>/dev/null || :
}

# await_change NAME: waits until the node may have become Ready, at most five seconds.
await_change() {
  case $SEEN in
    True*) ;; # it has another version, or is not initialized yet
    *) if kubectl wait node "$1" --for=condition=Ready --timeout=5s >/dev/null 2>&1; then return 0; fi ;;
  esac
  sleep 0.5
}

# await_ready NAME VERSION SECONDS [LOOK]: waits until the node is Ready, has been registered for SECONDS, and has not lost Ready in
# that time, because K3s may stop or restart soon after its start. `*` means any version. A later call continues the same count. While
# the node is not Ready, LOOK is called at least every five seconds. Answers 1 if the node is not Ready TIMEOUT s after
# BEGAN; SEEN has the last result. Each query takes processor time from a K3s that is starting, so there are few of them.
SEEN='' KNOWN_SINCE=''
await_ready() {
  known="* $2 *" ready="True $2 |*"
  while :; do
    before=$SEEN
    SEEN=$(node_look "$1")
    # shellcheck disable=SC2254 # patterns
    case $SEEN in
      $known) if [ -z "$KNOWN_SINCE" ] || { [ "${before%% *}" = True ] && [ "$SEEN" != "$before" ]; }; then KNOWN_SINCE=$(now_cs); fi ;;
      *) KNOWN_SINCE='' ;;
    esac
    # shellcheck disable=SC2254
    case $SEEN in
      $ready)
        remaining=$(($3 * 100 + KNOWN_SINCE - $(now_cs)))
        if [ "$remaining" -le 0 ]; then return 0; fi
        # A break shows in the time of the last change, so one look at the end is enough.
        sleep "$((remaining / 100)).$(printf %02d $((remaining % 100)))"
        ;;
      *)
        "${4:-:}"
        if [ $(($(now) - BEGAN)) -ge "$TIMEOUT" ]; then return 1; fi
        await_change "$1"
        ;;
    esac
  done
}
