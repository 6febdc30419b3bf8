# disks (Proxmox host): keeps a node's further disks on a separate guest, which never runs. With a machine, Proxmox VE destroys only
# disks with the machine's VMID in their names, so these disks outlive the node's machine without being moved. host/vm.sh attaches them.
# On deletion, the policy in the roster says whether they stay.
# Arguments: ACTION create|update|delete, VMID (of the guest that keeps them), NAME (the node), DISKS ("serial storage GiB", one
# per line), POOL. Inputs: CLUSTER_ID, MARK.

other_vmid="set disksVmIds of its pool to free VMIDs, or nodes: { <index>: { disksVmId: … } }, then pulumi up"
if keeper=$(guest_conf); then await_birth "$keeper"; fi

if [ "$ACTION" = delete ]; then
  if ! keeper=$(guest_conf); then
    outcome "guest $VMID is already gone"
    exit 0
  fi
  if ! is_ours "$keeper" || [ "$(disks_of "$keeper")" != "$NAME" ]; then
    outcome "guest $VMID does not keep the disks of $NAME; it was not touched"
    exit 0
  fi
  serials=$(drives_of "$keeper" | cut -d' ' -f3 | paste -sd ' ' -)
  if [ "$(sed -n 's/^ON_DISKS=//p' "/var/lib/proxmox-k3s/$CLUSTER_ID/policy" 2>/dev/null)" != delete ]; then
    say "the further disks of $NAME stay ($serials), on guest $VMID ($NAME-disks)"
    say "next:  if nobody needs them: qm set $VMID --protection 0 && qm destroy $VMID on the Proxmox host"
    outcome "guest $VMID keeps the disks of $NAME"
    exit 0
  fi
  need_here "$keeper"
  user=$(grep -lE "^(scsi|virtio|sata|ide)[0-9]+:.*[:/]vm-$VMID-" /etc/pve/nodes/*/qemu-server/*.conf | grep -v "/$VMID.conf\$" | head -n 1 || :)
  [ -z "$user" ] || fail "guest $(vmid_of "$user") ($(guest_name "$user")) still has the disks of guest $VMID; they were not deleted" \
    "detach them with qm set $(vmid_of "$user") --delete SLOT on the Proxmox host, then run the same command again"
  say "destroying the further disks of $NAME ($serials)"
  keeper_destroy "$VMID" || fail "guest $VMID ($NAME-disks) could not be destroyed; the lines above say why" "fix the cause, then run the same command again"
  outcome "the further disks of $NAME were destroyed"
  exit 0
fi

if ! keeper=$(guest_conf); then
  say "creating guest $VMID, which keeps the further disks of $NAME"
  keeper_create "$VMID" "$NAME" "$POOL" || fail "guest $VMID for the disks of $NAME could not be created; the lines above say why" "fix the cause, then pulumi up"
  keeper=$(guest_conf)
fi
is_ours "$keeper" || refuse_foreign "$keeper" "$other_vmid"
[ "$(disks_of "$keeper")" = "$NAME" ] ||
  fail "VMID $VMID, wanted for the disks of $NAME, is this cluster's guest $(guest_name "$keeper"); it was not touched" "$other_vmid"
need_here "$keeper"
await_unlocked "$keeper"
printf '%s\n' "$DISKS" >"$WORK/wanted"
while read -r disk storage gib; do
  if drives_of "$keeper" | cut -d' ' -f3 | grep -qxF -- "$disk"; then continue; fi
  say "creating the disk $disk of $NAME ($gib GiB on $storage)"
  slot=$(free_slot "$keeper" 0)
  keeper_add "$VMID" "$slot" "$storage" "$gib" "$disk" </dev/null ||
    fail "the disk $disk of $NAME could not be created on $storage; the lines above say why" "fix the cause, then pulumi up"
done <"$WORK/wanted"
if ! main_section "$keeper" | grep -qE '^template: *1 *$'; then keeper_close "$VMID"; fi
outcome "guest $VMID keeps the disks of $NAME: $(cut -d' ' -f1 "$WORK/wanted" | paste -sd ' ' -)"
