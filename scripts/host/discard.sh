# discard (Proxmox host): destroys one guest of ours that is not in the state because its creation was interrupted. It checks
# again, under the lock of the guest's other scripts and right before the removal, that the guest is ours and unused.
# Arguments: VMID, NAME, CREATION (the id of the interrupted creation), WAIT (s, how long to wait for a creation that still
# runs). Input: MARK.

again="npx proxmox-k3s recover"

# still_worthless: sets conf; ends the step if there is nothing to do, or if the guest may not be destroyed.
still_worthless() {
  if ! conf=$(guest_conf); then
    outcome "guest $VMID is already gone"
    exit 0
  fi
  is_ours "$conf" || refuse_foreign "$conf" "$again"
  [ "$(creation_of "$conf") $(guest_name "$conf")" = "$CREATION $NAME" ] ||
    fail "guest $VMID was created again in the meantime; it was not touched" "$again"
  ! was_node "$conf" ||
    fail "guest $VMID ($NAME) has been a node; it was not touched" "restore a state of the stack that has it; or, if nobody needs it, $(destroy_command "$conf") on the Proxmox host"
  is_unfinished "$conf" ||
    fail "this host has no record of an unfinished creation of guest $VMID ($NAME); it was not touched" "if nobody needs it, $(destroy_command "$conf") on the Proxmox host"
  is_here "$conf" || fail "guest $VMID ($NAME) is not on this Proxmox host ($conf)" "$(destroy_command "$conf") on its own host"
}

# If the file that a worker locks is free three times in a row, no worker runs.
free=0
began=$(now)
still_worthless
in_work=$(worker_lock "$conf")
being_made() { case $(lock_of "$conf") in create | clone) ;; *) return 1 ;; esac; }
while being_made && [ "$free" -lt 3 ]; do
  if [ -e "$in_work" ] && flock -n "$in_work" true; then free=$((free + 1)); else free=0; fi
  if [ $(($(now) - began)) -ge "$WAIT" ]; then
    [ ! -e "$in_work" ] || fail "guest $VMID ($NAME) is still being created after $WAIT s; it was not touched" "wait for its task in the Proxmox task log, then $again"
    break
  fi
  sleep 0.5
  still_worthless
done

! has_k3s_on_disk "$conf" || fail "guest $VMID ($NAME) has K3s on its disk; it was not touched" "if nobody needs it, $(destroy_command "$conf") on the Proxmox host"
say "destroying $NAME ($VMID)"
guest_discard "$conf" || fail "guest $VMID ($NAME) could not be destroyed; the lines above say why" "$again"
rm -f "$CREATIONS/$VMID"
outcome "guest $VMID ($NAME) was destroyed"
