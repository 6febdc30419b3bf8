# join (Proxmox host): runs before K3s is installed on a server. It decides whether the server starts a new cluster or joins the
# existing one. This depends on the servers that exist, never on which is first in the plan: the first server may be replaced
# while the others run the cluster.
# Arguments: VMID, NAME, TIMEOUT (s). Input: CLUSTER_ID. Writes into the guest: the URL to join and the hash of the cluster's CA.
# Files: api-port.

JOIN=/var/lib/proxmox-k3s/join

need_machine
if guest_exec "$VMID" test -e /var/lib/proxmox-k3s/started; then
  outcome "$NAME is a server already"
  exit 0
fi

# holders: the other servers that have the cluster's data, or may have it because they do not run.
holders() {
  other_guests "$NAME" | while read -r vmid name; do
    if ! trusts "$vmid" "$name" || ! guest_runs "$vmid" || guest_exec "$vmid" test -e /var/lib/rancher/k3s/server/db; then
      printf ' %s (%s)' "$name" "$vmid"
    fi
  done
}
holders=$(holders)
begin() {
  guest_exec "$VMID" rm -f "$JOIN"
  outcome "$NAME starts a new cluster"
  exit 0
}
[ -n "$holders" ] || begin

await_server "$TIMEOUT" "$NAME" ||
  fail "none of the cluster's servers answered within $TIMEOUT s:$holders; $NAME would start a second cluster" \
    "$SEE_SERVERS, then pulumi up"

# No server can join a cluster in SQLite. A server that replaces the only one starts a new cluster, if the config allows it.
need_members
if [ -z "$MEMBERS" ]; then
  [ "$(policy ALLOW_CONTROL_PLANE_LOSS)" = yes ] || fail "$NAME cannot join$holders, which keeps the cluster in SQLite" \
    "put that server back into the config, set k3s.datastore: etcd and pulumi up; then repeat your change"
  begin
fi

# etcd accepts no new member while too few of the others answer. So first remove the member of a server that is no longer in the
# plan and does not answer. Its leave comes later, and then has less to do.
for former in $(former_servers | tr ' ' :); do
  gone=${former#*:}
  adopt_member "${former%%:*}" "$gone"
  if is_member "$gone" && ! answers "$gone" && look_at_others "$gone" && majority_without; then
    say "$gone is no longer in the plan and does not answer: removing it from etcd"
    remove_member "$gone" || say "etcd did not remove $gone"
  fi
done
await_others "$NAME" majority_beside ||
  fail "etcd accepts no new member, so $NAME cannot join: of $OTHERS servers these do not answer:$SILENT" \
    "$START_SERVERS, or remove one from the config; then pulumi up"

ca_hash
address=$(own_address "$SERVER") || fail "the server $SERVER has no node-ip in /etc/rancher/k3s/config.yaml" "pulumi up writes it again"
printf 'https://%s:%s %s\n' "$address" "$(cat "$WORK/api-port")" "$hash" >"$WORK/join"
guest_exec "$VMID" mkdir -p "${JOIN%/*}"
guest_push "$VMID" "$WORK/join" "$JOIN" 0600
outcome "$NAME joins through $address"
