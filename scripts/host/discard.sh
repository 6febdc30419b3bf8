# discard (Proxmox host): destroys one container of ours whose creation was cut off, so that it is in no state. What makes
# it ours and worthless is looked at here again, behind the lock of the guest's other scripts, right before it goes.
# Arguments: VMID, NAME, CREATION (the number of the creation that was cut off), WAIT (s, how long that creation may still
# go on by itself). Input: MARK.

again="npm run cluster -- recover"

# still_worthless: sets conf; ends the step when there is nothing to do, or nothing that may be done.
still_worthless() {
  if ! conf=$(guest_conf); then
    outcome "guest $VMID is already gone"
    exit 0
  fi
  is_ours "$conf" || refuse_foreign "$conf" "$again"
  [ "$(creation_of "$conf") $(guest_name "$conf")" = "$CREATION $NAME" ] ||
    fail "guest $VMID is not the one that was found before, but was made anew; it was not touched" "$again"
  ! was_node "$conf" ||
    fail "guest $VMID ($NAME) has been a node's machine; it was not touched" "restore the stack's state, which once knew it; or pct destroy $VMID --force on the Proxmox host, if it is not wanted"
  is_unfinished "$conf" ||
    fail "no creation of guest $VMID ($NAME) was begun here and left unfinished; it was not touched" "pct destroy $VMID --force on the Proxmox host, if it is not wanted"
  [ -e "/etc/pve/lxc/$VMID.conf" ] || fail "guest $VMID ($NAME) is not on this Proxmox host ($conf)" "pct destroy $VMID --force on its own host"
}

# A worker of Proxmox VE holds this file for as long as it makes the guest. Free three times in a row: there is none.
worker_lock=/run/lock/lxc/pve-config-$VMID.lock
free=0
began=$(now)
still_worthless
while [ "$(lock_of "$conf")" = create ] && [ "$free" -lt 3 ]; do
  if [ -e "$worker_lock" ] && flock -n "$worker_lock" true; then free=$((free + 1)); else free=0; fi
  if [ $(($(now) - began)) -ge "$WAIT" ]; then
    [ ! -e "$worker_lock" ] || fail "guest $VMID ($NAME) is still being made after $WAIT s; it was not touched" "see its task in the Proxmox task log, then $again"
    break
  fi
  sleep 0.5
  still_worthless
done

! has_k3s_on_disk "$conf" || fail "guest $VMID ($NAME) has K3s on its disk; it was not touched" "pct destroy $VMID --force on the Proxmox host, if it is not wanted"
say "destroying $NAME ($VMID)"
guest_discard "$conf" || fail "guest $VMID ($NAME) could not be destroyed; the lines above say why" "$again"
rm -f "$CREATIONS/$VMID"
outcome "guest $VMID ($NAME) was destroyed"
