# leave (Proxmox host), on deletion only: runs the removal script that the roster keeps on the host. The text here is
# stored in the state at creation and cannot be corrected once its node is gone from the program: it stays this small.
# Arguments: VMID, NAME, ROLE. Inputs: CLUSTER_ID, MARK.

case $CLUSTER_ID in *[!0-9a-f]* | '') fail "this is no cluster's id: $CLUSTER_ID" ;; esac
leave=/var/lib/proxmox-k3s/$CLUSTER_ID/leave
[ -r "$leave" ] || fail "the removal script $leave is missing on the Proxmox host" "pulumi up writes it again"
. "$leave"
