# leave (Proxmox host): runs only on deletion. It runs the removal script that the roster keeps on the host. This text is stored
# in the state at creation and cannot be fixed once its node is no longer in the program. So it must stay this small.
# Arguments: VMID, NAME, ROLE. Inputs: CLUSTER_ID, MARK.

case $CLUSTER_ID in *[!0-9a-f]* | '') fail "this is not the id of a cluster: $CLUSTER_ID" ;; esac
leave=/var/lib/proxmox-k3s/$CLUSTER_ID/leave
[ -r "$leave" ] || fail "the removal script $leave is missing on the Proxmox host" "pulumi up writes it again"
. "$leave"
