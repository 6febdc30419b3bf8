# claim (Proxmox host): $VMID is free or ours. The Proxmox client would adopt a foreign guest silently: its create
# retries a 500 and takes "already exists" on the retry for success.
# Arguments: ACTION create|update, VMID, NAME (the node), SETTINGS (the machine's; they only make the claim run before
# each change of them). Input: MARK.

if ! conf=$(guest_conf); then
  outcome "VMID $VMID is free"
  exit 0
fi
if ! is_ours "$conf"; then
  fail "VMID $VMID, wanted for $NAME, belongs to the guest \"$(guest_name "$conf")\" ($conf), which is not ours; it was not touched" \
    "give the node another VMID in the config (vmIds of its pool, or nodes: { <index>: { vmId: … } })"
fi
held=$(guest_name "$conf")
if [ "$held" != "$NAME" ]; then
  fail "VMID $VMID, wanted for $NAME, is this cluster's node $held; it was not touched" \
    "give $NAME another VMID, or take $held out first (its pool's count or retired) and pulumi up; a node is not renamed in place"
fi
if [ "$ACTION" = create ]; then
  fail "VMID $VMID carries our mark but is not in this stack's state: its creation was cut off, or the state was lost" \
    "keep it: pulumi import proxmoxve:index/containerLegacy:ContainerLegacy $NAME $(basename "$(dirname "$(dirname "$conf")")")/$VMID   or start over: pct destroy $VMID --force on the Proxmox host, then pulumi up"
fi
outcome "VMID $VMID is ours"
