# join (Proxmox host): before K3s comes to a server's machine: whether it begins the cluster or joins the one that lives. What
# decides is who lives, never who is first: the first server may come back while the others hold the cluster.
# Arguments: VMID, NAME, TIMEOUT (s). Input: CLUSTER_ID. Leaves in the guest: the URL to join and the hash of the cluster's CA.

JOIN=/var/lib/proxmox-k3s/join
in_guest() { pct exec "$VMID" -- "$@" </dev/null; }

if in_guest test -e /var/lib/proxmox-k3s/started; then
  outcome "$NAME is a server already"
  exit 0
fi

# holders: the other servers that have the cluster's data, or may have them because they do not run.
holders() {
  other_guests "$NAME" | while read -r vmid name; do
    if [ "$(pct status "$vmid" </dev/null)" != "status: running" ] ||
      pct exec "$vmid" -- test -e /var/lib/rancher/k3s/server/db </dev/null; then
      printf ' %s (%s)' "$name" "$vmid"
    fi
  done
}
holders=$(holders)
begin() {
  in_guest rm -f "$JOIN"
  outcome "$NAME begins the cluster"
  exit 0
}
[ -n "$holders" ] || begin

await_server "$TIMEOUT" "$NAME" ||
  fail "none of the cluster's servers answered within $TIMEOUT s:$holders; $NAME would have begun a second cluster" \
    "see k3s.service on them: pct exec VMID -- journalctl -u k3s on the Proxmox host; then pulumi up"

# Nobody can join what is in SQLite. Another server in place of that one begins anew, where that is allowed.
need_members
. "$CLUSTER_DIR/policy"
if [ -z "$MEMBERS" ]; then
  [ "$ALLOW_CONTROL_PLANE_LOSS" = yes ] || fail "$NAME cannot join$holders, which keeps the cluster in SQLite" \
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
address=$(own_address "$SERVER")
printf 'https://%s:6443 %s\n' "$address" "$hash" >"$WORK/join"
in_guest mkdir -p "${JOIN%/*}"
pct push "$VMID" "$WORK/join" "$JOIN" --perms 0600
outcome "$NAME joins through $address"
