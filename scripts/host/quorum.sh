# quorum (Proxmox host): runs before a change that stops a server for a moment. Checks that etcd keeps its majority without it.
# Arguments: NAME, EFFECT (what the change does: "reboot it"). Input: CLUSTER_ID.

if ! find_server || ! is_member "$NAME" || ! answers "$NAME"; then
  outcome "$NAME does not count for etcd's majority now"
  exit 0
fi
await_others "$NAME" majority_beside ||
  fail "$NAME was not changed (this would $EFFECT): without it etcd has no majority, because these servers do not answer:$SILENT" \
    "$START_SERVERS, or remove one from the config; then pulumi up"
outcome "$WELL of the $OTHERS other servers answer"
