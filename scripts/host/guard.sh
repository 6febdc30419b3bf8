# guard (Proxmox host): runs only on deletion, before a machine is destroyed. Fails if the guest is not ours, whatever its kind.
# Arguments: VMID, NAME. Inputs: MARK, URN (the guest's resource).

if ! conf=$(guest_conf); then
  # The provider fails if the guest does not exist, and `pulumi destroy` runs no program that could explain this.
  say "guest $VMID of $NAME is already gone; if its deletion fails now (\"does not exist\"):"
  say "next:  run the same command again with --refresh"
  rm -f "$PREPARED/$VMID" "$STARTED/$VMID"
  outcome "guest $VMID is already gone"
  exit 0
fi
if ! is_ours "$conf"; then
  # A refresh may have removed the guest from the state already. This step's own resource is in the state in any case.
  delete="pulumi state delete --yes --target-dependents"
  guard="${URN%\$*}\$command:remote:Command::$NAME-guard"
  refuse_foreign "$conf" "the guest of $NAME is gone: remove it from the state with $delete '$URN' || $delete '$guard', then run the same command again"
fi
refuse_kept "$conf" "it was not shut down"
outcome "guest $VMID is ours"
