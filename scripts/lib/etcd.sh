# The members of etcd, as K3s shows them on Node objects. Runs on the Proxmox host, through a server that answers ($SERVER).
# Sources: K3s, pkg/etcd/member_controller.go; etcd, server/etcdserver/server.go (mayAddMember, mayRemoveMember).

# list_members: sets MEMBERS to the names of the Nodes that have a member, one per line; empty if the only server has SQLite.
list_members() {
  listed=$(kubectl get nodes -l node-role.kubernetes.io/etcd -o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations.etcd\.k3s\.cattle\.io/node-name}{"\n"}{end}') || return 1
  MEMBERS=$(printf '%s\n' "$listed" | awk 'NF == 2 { print $1 }')
}
listed_member() { printf '%s\n' "$MEMBERS" | grep -qxF -- "$1"; }

# need_members: as list_members, but ends the step if the API does not answer.
need_members() { list_members || fail "the API of the server $SERVER did not list the members of etcd" "check the server: $(guest_command "$SERVER" "journalctl -u k3s") on the Proxmox host; then pulumi up"; }
is_member() {
  need_members
  listed_member "$1"
}

# answers NAME: this server's own API answers, so its own member of etcd works. A server that gets another VMID has two guests.
answers() (
  for vmid in $(all_servers | awk -v name="$1" '$2 == name { print $1 }'); do
    if api_answers "$vmid" "$1"; then return 0; fi
  done
  return 1
)

# look_at_others NAME: sets OTHERS (number of other members), WELL (how many of them answer) and SILENT (those that do not).
look_at_others() {
  OTHERS=0 WELL=0 SILENT=''
  list_members || return 1
  for member in $MEMBERS; do
    if [ "$member" = "$1" ]; then continue; fi
    OTHERS=$((OTHERS + 1))
    if answers "$member"; then WELL=$((WELL + 1)); else SILENT="$SILENT $member"; fi
  done
}

# Without a member that leaves for good, the others need a majority of the others. Beside a member that does not answer yet
# (new) or for a moment (changed), they need a majority of all members, or at least all of the others must answer.
majority_without() { [ "$WELL" -ge $((OTHERS / 2 + 1)) ]; }
majority_beside() { [ "$WELL" -ge $(((OTHERS + 1) / 2 + 1)) ] || [ "$WELL" -eq "$OTHERS" ]; }

# await_others NAME CONDITION: waits until it is true; answers 1 if it is not within a minute, the time of a restart.
await_others() {
  waited_since=$(now)
  until look_at_others "$1" && "$2"; do
    [ $(($(now) - waited_since)) -lt 60 ] || return 1
    sleep 0.5
  done
}

# own_address VMID: the address that a server's K3s uses. The plan may already have another one.
own_address() { guest_exec "$1" sed -n 's/^node-ip: *//p' /etc/rancher/k3s/config.yaml | grep -xE '[0-9]{1,3}([.][0-9]{1,3}){3}'; }

# adopt_member VMID NAME: an interrupted join may have left a member without a Node object, and K3s removes a member only by the
# annotations of its Node. If the guest still knows the member's name, create that Node; it is deleted later like any other.
adopt_member() {
  if is_member "$2" || ! trusts "$1" "$2"; then return 0; fi
  own=$(guest_exec "$1" cat /var/lib/rancher/k3s/server/db/etcd/name 2>/dev/null | grep -xE '[a-z0-9][a-z0-9.-]{0,252}') || return 0
  own_ip=$(own_address "$1") || return 0
  say "$2 may be a member of etcd without a Node: $own"
  if ! node_exists "$2"; then
    printf '{"apiVersion":"v1","kind":"Node","metadata":{"name":"%s"}}' "$2" | GUEST_BOUND=30 guest_feed "$SERVER" k3s kubectl create -f -
  fi
  kubectl label node "$2" --overwrite node-role.kubernetes.io/etcd=true
  kubectl annotate node "$2" --overwrite "etcd.k3s.cattle.io/node-name=$own" "etcd.k3s.cattle.io/node-address=$own_ip"
}

# remove_member NAME: removes a member by an annotation, which is K3s' own way. K3s withdraws a request that etcd refuses.
# Answers 1 if the member is not gone in time: if the server that does this work leaves, another takes over after 45 s.
remove_member() {
  asked_since=$(now)
  until list_members && ! listed_member "$1"; do
    kubectl annotate node "$1" --overwrite etcd.k3s.cattle.io/remove=true >/dev/null || :
    [ $(($(now) - asked_since)) -lt 120 ] || return 1
    sleep 0.5
  done
}
