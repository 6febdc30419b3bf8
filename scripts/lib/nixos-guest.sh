# Runs commands in a machine with NixOS through its guest agent. Runs on the Proxmox host. File: guest-nixos.sh.

# How long a system is on trial: longer than its switch (240 s, host/nixos-trial.sh) and the connection from outside (60 s,
# components/nixos.ts) together.
TRIAL_SECONDS=420
IN_GUEST=/run/proxmox-k3s-nixos.sh

push_nixos() {
  need_machine
  # A switch of NixOS also restarts the changed units.
  GUEST_BOUND=240
  guest_push "$VMID" "$WORK/guest-nixos.sh" "$IN_GUEST" 0700 || not_told
}
tell_nixos() { guest_exec "$VMID" sh "$IN_GUEST" "$@" 2>&1 | tr -d '\000-\010\013-\037\177' | cut -c1-300 >"$WORK/told"; }
word() { tail -n 1 "$WORK/told"; }
not_told() {
  still_runs_after_failure "its system was changed"
  fail "the guest agent of $NAME ($VMID) does not answer" "look at the machine with qm terminal $VMID on the Proxmox host, then pulumi up"
}
# back_again: the machine has its former system again.
back_again() {
  sed '$d' "$WORK/told"
  fail "$NAME went back to its former system: $1" "fix what the lines above say, or take the change back; then pulumi up"
}
