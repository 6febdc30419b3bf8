# roster (Proxmox host): the servers of this plan, the removal script and its policy. Every leave reads them here, so a
# change reaches the leave of a node that has gone from the program. Written before any delete of the same `up`.
# Arguments: ACTION, SERVERS ("VMID name" one a line), DRAIN_TIMEOUT (s), ON_BLOCKED stop|force,
# ON_LOCAL_DATA stop|delete, ALLOW_CONTROL_PLANE_LOSS yes|no. Inputs: CLUSTER_ID, MARK. Files: leave.

case $CLUSTER_ID in *[!0-9a-f]* | '') fail "this is no cluster's id: $CLUSTER_ID" ;; esac
dir=/var/lib/proxmox-k3s/$CLUSTER_ID
if [ "$ACTION" = delete ]; then
  rm -rf "$dir"
  # Records of guests that have gone, whoever made them.
  for kept in "$PREPARED"/* "$CREATIONS"/* /var/lib/proxmox-k3s/lxc-started/*; do
    if [ -e "$kept" ] && ! conf_of "${kept##*/}" >/dev/null; then rm -f "$kept"; fi
  done
  outcome "roster removed"
  exit 0
fi
mkdir -p "$dir"
printf '%s\n' "$SERVERS" >"$WORK/servers"

# heirless: the servers of the last plan that still have their guest, when this plan keeps none of them. Another server in
# their place would begin a cluster of its own, without a single object of this one.
heirless() {
  lost=
  while read -r vmid former; do
    if cut -d' ' -f2 "$WORK/servers" | grep -qxF -- "$former"; then return 0; fi
    if has_our_guest "$vmid"; then lost="$lost $former ($vmid)"; fi
  done <"$dir/servers"
  printf '%s' "$lost"
}
if [ -f "$dir/servers" ] && [ "$ALLOW_CONTROL_PLANE_LOSS" = no ]; then
  without_heir=$(heirless)
  [ -z "$without_heir" ] || fail "the config keeps none of the cluster's servers:$without_heir" \
    "take the server back into the config; to lose the cluster and all its objects for a new one: set removal.allowControlPlaneLoss: true, pulumi up"
fi
# Until it has left (leave.sh), a server that has gone from the plan holds the cluster with the others; so does one that gets
# another VMID, under its former one.
cat "$dir/servers" "$dir/former" 2>/dev/null | sort -u | grep -vxFf "$WORK/servers" >"$WORK/former" || :
cat >"$WORK/policy" <<EOF
DRAIN_TIMEOUT=$DRAIN_TIMEOUT
ON_BLOCKED=$ON_BLOCKED
ON_LOCAL_DATA=$ON_LOCAL_DATA
ALLOW_CONTROL_PLANE_LOSS=$ALLOW_CONTROL_PLANE_LOSS
EOF
printf '%s\n' "$MARK" >"$WORK/mark"
for file in servers former policy mark; do install_file 0600 "$WORK/$file" "$dir/$file" || :; done
install_file 0700 "$WORK/leave" "$dir/leave" || :
outcome "roster: $(printf '%s' "$SERVERS" | cut -d' ' -f2 | tr '\n' ' ')"
