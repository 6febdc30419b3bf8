# roster (Proxmox host): writes the servers of this plan, the removal script and its policy. Every leave reads them here, so a
# change also reaches the leave of a node that is no longer in the program. It is written before any deletion of the same run.
# Arguments: ACTION, SERVERS ("VMID name", one per line), DRAIN_TIMEOUT (s), EVICTION_TIMEOUT (s), ON_BLOCKED stop|force,
# ON_LOCAL_DATA stop|delete, ON_DISKS keep|delete, ALLOW_CONTROL_PLANE_LOSS yes|no. Inputs: CLUSTER_ID, MARK. Files: leave.

case $CLUSTER_ID in *[!0-9a-f]* | '') fail "this is not the id of a cluster: $CLUSTER_ID" ;; esac
dir=/var/lib/proxmox-k3s/$CLUSTER_ID
if [ "$ACTION" = delete ]; then
  rm -rf "$dir"
  # Records of guests that no longer exist, of all clusters.
  for kept in "$PREPARED"/* "$CREATIONS"/* "$STARTED"/*; do
    if [ -e "$kept" ] && ! conf_of "${kept##*/}" >/dev/null; then rm -f "$kept"; fi
  done
  outcome "roster removed"
  exit 0
fi
mkdir -p "$dir"
printf '%s\n' "$SERVERS" >"$WORK/servers"

# lost_servers: if this plan keeps no server of the last plan, those that still have their guest. A new server instead of them
# would start a new, empty cluster.
lost_servers() {
  lost=
  while read -r vmid former; do
    if cut -d' ' -f2 "$WORK/servers" | grep -qxF -- "$former"; then return 0; fi
    if has_our_guest "$vmid"; then lost="$lost $former ($vmid)"; fi
  done <"$dir/servers"
  printf '%s' "$lost"
}
if [ -f "$dir/servers" ] && [ "$ALLOW_CONTROL_PLANE_LOSS" = no ]; then
  lost=$(lost_servers)
  [ -z "$lost" ] || fail "the config keeps none of the cluster's servers:$lost" \
    "put the server back into the config; or, to replace the cluster and delete everything in it, set removal.allowControlPlaneLoss: true; then pulumi up"
fi
# A server that is no longer in the plan is part of the cluster until it has left (leave.sh). So is a server that gets another
# VMID, with its old one.
cat "$dir/servers" "$dir/former" 2>/dev/null | sort -u | grep -vxFf "$WORK/servers" >"$WORK/former" || :
cat >"$WORK/policy" <<EOF
DRAIN_TIMEOUT=$DRAIN_TIMEOUT
EVICTION_TIMEOUT=$EVICTION_TIMEOUT
ON_BLOCKED=$ON_BLOCKED
ON_LOCAL_DATA=$ON_LOCAL_DATA
ON_DISKS=$ON_DISKS
ALLOW_CONTROL_PLANE_LOSS=$ALLOW_CONTROL_PLANE_LOSS
EOF
printf '%s\n' "$MARK" >"$WORK/mark"
for file in servers former policy mark; do install_file 0600 "$WORK/$file" "$dir/$file" || :; done
install_file 0700 "$WORK/leave" "$dir/leave" || :
outcome "roster: $(printf '%s' "$SERVERS" | cut -d' ' -f2 | tr '\n' ' ')"
