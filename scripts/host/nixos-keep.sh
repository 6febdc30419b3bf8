# nixos-keep (Proxmox host): makes the system on trial permanent (host/nixos-trial.sh): the node boots with it. NixOS changes the host
# name only at a boot, and K3s registers with it. So a machine with another host name restarts before it gets its tokens.
# Arguments: VMID, NAME. Input: MARK. File: guest-nixos.sh.

REBOOT=300
push_nixos
tell_nixos keep || :
case $(word) in
  '') not_told ;;
  kept | unchanged) ;;
  *) back_again "the new one was not confirmed within $TRIAL_SECONDS s, or did not switch" ;;
esac
# has_name: asks until the guest answers, because a missing answer must not restart a running node.
has_name() {
  GUEST_BOUND=20
  asked_since=$(now)
  until its_name=$(guest_exec "$VMID" cat /proc/sys/kernel/hostname 2>/dev/null) && [ -n "$its_name" ]; do
    still_runs "it was set up" "pulumi up"
    [ $(($(now) - asked_since)) -lt 60 ] || not_told
    sleep 0.5
  done
  [ "$its_name" = "$NAME" ]
}
if has_name; then
  outcome "$NAME keeps its system"
  exit 0
fi
say "restarting $NAME ($VMID), because it still has another host name"
guest_shut_down "$VMID"
guest_start "$VMID"
began=$(now)
until agent_answers "$VMID" && guest_exec "$VMID" true 2>/dev/null; do
  still_runs "it was set up" "pulumi up"
  [ $(($(now) - began)) -lt "$REBOOT" ] || not_told
  sleep 0.5
done
has_name || fail "$NAME ($VMID) has another host name after its restart too" \
  "remove networking.hostName from configuration.nix of the machine and of its template, then pulumi up"
outcome "$NAME keeps its system, and has its name"
