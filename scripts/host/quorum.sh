# quorum (Proxmox host): before a server is disturbed for a moment: the others keep etcd's majority meanwhile.
# Arguments: NAME, EFFECT (what the disturbance does, "reboot it"). Input: CLUSTER_ID.

if ! find_server || ! is_member "$NAME" || ! answers "$NAME"; then
  outcome "$NAME has no part in etcd's majority now"
  exit 0
fi
await_others "$NAME" majority_beside ||
  fail "$NAME was not touched, which would $EFFECT: without it etcd has no majority, as these servers do not answer:$SILENT" \
    "bring them back (pct status, pct start on the Proxmox host), or take one out of the config; then pulumi up"
outcome "$WELL of the $OTHERS other servers answer"
