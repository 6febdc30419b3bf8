# nixos-trial (Proxmox host): switches the node to the system that was built on it, for some minutes (host/files/guest-nixos.sh). If the
# machine of `pulumi up` still reaches the node, host/nixos-keep.sh keeps the system.
# Arguments: VMID, NAME. Input: MARK. Answers tried, or unchanged if the node already runs that system. File: guest-nixos.sh.

SWITCH=240
push_nixos
began=$(now)
tell_nixos try "$TRIAL_SECONDS" || :
until case $(word) in tried | unchanged | former) true ;; *) false ;; esac; do
  still_runs "it switched to its new system" "pulumi up"
  [ $(($(now) - began)) -lt "$SWITCH" ] ||
    fail "$NAME ($VMID) has not switched to its new system after $SWITCH s; it goes back to the former one" "$(guest_command "$VMID" "journalctl -u proxmox-k3s-switch") on the Proxmox host says why; then pulumi up"
  sleep 0.5
  # The agent may be away while it restarts.
  tell_nixos said || :
done
[ "$(word)" != former ] || back_again "its switch failed"
# Print the units that failed, if any.
sed '$d' "$WORK/told"
outcome "$(word)"
