# roster (Proxmox host): the servers of this plan, the removal script and its policy. Every leave reads them here, so a
# change reaches the leave of a node that has gone from the program. Written before any delete of the same `up`.
# Arguments: ACTION, SERVERS ("VMID name" one a line), DRAIN_TIMEOUT (s), ON_BLOCKED stop|force,
# ALLOW_CONTROL_PLANE_LOSS yes|no. Input: CLUSTER_ID. Files: leave.

dir=/var/lib/proxmox-k3s/$CLUSTER_ID
if [ "$ACTION" = delete ]; then
  rm -rf "$dir"
  outcome "roster removed"
  exit 0
fi
mkdir -p "$dir"
printf '%s\n' "$SERVERS" >"$WORK/servers"
cat >"$WORK/policy" <<EOF
DRAIN_TIMEOUT=$DRAIN_TIMEOUT
ON_BLOCKED=$ON_BLOCKED
ALLOW_CONTROL_PLANE_LOSS=$ALLOW_CONTROL_PLANE_LOSS
EOF
for file in servers policy; do install_file 0600 "$WORK/$file" "$dir/$file" || :; done
install_file 0700 "$WORK/leave" "$dir/leave" || :
outcome "roster: $(printf '%s' "$SERVERS" | cut -d' ' -f2 | tr '\n' ' ')"
