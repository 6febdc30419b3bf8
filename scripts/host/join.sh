# join (Proxmox host): before K3s comes to a server's machine: whether it begins the cluster or joins the one that lives. What
# decides is who lives, never who is first: the first server may come back while the others hold the cluster.
# Arguments: VMID, NAME, TIMEOUT (s). Input: CLUSTER_ID. Leaves in the guest: the URL to join and the hash of the cluster's CA.
# Files: api-port.

JOIN=/var/lib/proxmox-k3s/join

need_machine
if guest_exec "$VMID" test -e /var/lib/proxmox-k3s/started; then
  outcome "$NAME is a server already"
  exit 0
fi

# holders: the other servers that have the cluster's data, or may have them because they do not run.
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
  outcome "$NAME begins the cluster"
  exit 0
}
[ -n "$holders" ] || begin

await_server "$TIMEOUT" "$NAME" ||
  fail "none of the cluster's servers answered within $TIMEOUT s:$holders; $NAME would have begun a second cluster" \
    "see k3s.service on them: pct exec VMID -- journalctl -u k3s on the Proxmox host; then pulumi up"

# Nobody can join what is in SQLite. Another server in place of that one begins anew, where that is allowed.
need_members
if [ -z "$MEMBERS" ]; then
  [ "$(policy ALLOW_CONTROL_PLANE_LOSS)" = yes ] || fail "$NAME cannot join$holders, which keeps the cluster in SQLite" \
    "set k3s.datastore: etcd and pulumi up; then again"
  begin
fi

# etcd takes no new member while too few of the others answer. A server that has gone from the plan and is dead makes room; its
# leave comes later, and finds less to do.
for former in $(former_servers | tr ' ' :); do
  gone=${former#*:}
  adopt_member "${former%%:*}" "$gone"
  if is_member "$gone" && ! answers "$gone" && look_at_others "$gone" && majority_without; then
    say "$gone has gone from the plan and does not answer: taking it out of etcd"
    remove_member "$gone" || say "etcd kept $gone"
  fi
done
await_others "$NAME" majority_beside ||
  fail "etcd takes no new member, so that $NAME cannot join: of $OTHERS servers these do not answer:$SILENT" \
    "bring them back (pct status, pct start on the Proxmox host), or take one out of the config; then pulumi up"

ca_hash
address=$(own_address "$SERVER") || fail "the server $SERVER has no node-ip in /etc/rancher/k3s/config.yaml" "pulumi up writes it again"
printf 'https://%s:%s %s\n' "$address" "$(cat "$WORK/api-port")" "$hash" >"$WORK/join"
guest_exec "$VMID" mkdir -p "${JOIN%/*}"
guest_push "$VMID" "$WORK/join" "$JOIN" 0600
outcome "$NAME joins through $address"
