# The servers' etcd, as K3s shows it on their Nodes: on the Proxmox host, through a server that answers ($SERVER).
# Sources: K3s, pkg/etcd/member_controller.go; etcd, server/etcdserver/server.go (mayAddMember, mayRemoveMember).

# list_members: sets MEMBERS to the names of the Nodes that have a member, one a line; to none where the only server has SQLite.
list_members() {
  listed=$(kubectl get nodes -l node-role.kubernetes.io/etcd -o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.annotations.etcd\.k3s\.cattle\.io/node-name}{"\n"}{end}') || return 1
  MEMBERS=$(printf '%s\n' "$listed" | awk 'NF == 2 { print $1 }')
}
listed_member() { printf '%s\n' "$MEMBERS" | grep -qxF -- "$1"; }

# need_members: the same; ends the step where nobody tells.
need_members() { list_members || fail "the API of the server $SERVER did not say who is a member of etcd" "the same again: pulumi up"; }
is_member() {
  need_members
  listed_member "$1"
}

# answers NAME: this server's own API, which nothing but its own member serves. One that gets another VMID has two.
answers() (
  for vmid in $(all_servers | awk -v name="$1" '$2 == name { print $1 }'); do
    if api_answers "$vmid" "$1"; then return 0; fi
  done
  return 1
)

# look_at_others NAME: how many other members there are (OTHERS) and answer (WELL), and which do not (SILENT).
look_at_others() {
  OTHERS=0 WELL=0 SILENT=''
  list_members || return 1
  for member in $MEMBERS; do
    if [ "$member" = "$1" ]; then continue; fi
    OTHERS=$((OTHERS + 1))
    if answers "$member"; then WELL=$((WELL + 1)); else SILENT="$SILENT $member"; fi
  done
}

# When one goes for good, the rest must hold a majority of the rest. Beside one that does not answer, be it new or
# disturbed, it must hold a majority of all; a rest that is all there can do no more.
majority_without() { [ "$WELL" -ge $((OTHERS / 2 + 1)) ]; }
majority_beside() { [ "$WELL" -ge $(((OTHERS + 1) / 2 + 1)) ] || [ "$WELL" -eq "$OTHERS" ]; }

# await_others NAME CONDITION: until it holds; answers 1 when it does not within a minute, the time of a restart.
await_others() {
  waited_since=$(now)
  until look_at_others "$1" && "$2"; do
    [ $(($(now) - waited_since)) -lt 60 ] || return 1
    sleep 0.5
  done
}

# own_address VMID: the address by which a server's K3s goes; in the plan it may have another one already.
own_address() { guest_exec "$1" sed -n 's/^node-ip: *//p' /etc/rancher/k3s/config.yaml | grep -xE '[0-9]{1,3}([.][0-9]{1,3}){3}'; }

# adopt_member VMID NAME: a join that was cut off may have made a member without a Node, by whose annotations alone K3s removes
# one. It gets a Node where its guest still knows the member's name; deleted later like any other.
adopt_member() {
  if is_member "$2" || ! trusts "$1" "$2"; then return 0; fi
  own=$(guest_exec "$1" cat /var/lib/rancher/k3s/server/db/etcd/name 2>/dev/null | grep -xE '[a-z0-9][a-z0-9.-]{0,252}') || return 0
  own_ip=$(own_address "$1") || return 0
  say "$2 may be a member of etcd without a Node: $own"
  if [ -z "$(kubectl get node "$2" --ignore-not-found -o name)" ]; then
    printf '{"apiVersion":"v1","kind":"Node","metadata":{"name":"%s"}}' "$2" | GUEST_BOUND=30 guest_feed "$SERVER" k3s kubectl create -f -
  fi
  kubectl label node "$2" --overwrite node-role.kubernetes.io/etcd=true
  kubectl annotate node "$2" --overwrite "etcd.k3s.cattle.io/node-name=$own" "etcd.k3s.cattle.io/node-address=$own_ip"
}

# remove_member NAME: K3s' own way, by an annotation that it acts on; it withdraws a request that etcd refuses. Answers 1 when
# the member has not gone in time: where the server that did this work goes, another one takes it over after 45 s.
remove_member() {
  asked_since=$(now)
  until list_members && ! listed_member "$1"; do
    kubectl annotate node "$1" --overwrite etcd.k3s.cattle.io/remove=true >/dev/null || :
    [ $(($(now) - asked_since)) -lt 120 ] || return 1
    sleep 0.5
  done
}
