# guard (Proxmox host): on deletion only, before a machine is destroyed: refuses a guest that is not ours, whatever its kind.
# Arguments: VMID, NAME. Inputs: MARK, URN (the guest's resource).

if ! conf=$(guest_conf); then
  # The client fails at a guest that is not there, and `pulumi destroy` runs no program that could explain it.
  say "guest $VMID of $NAME is already gone; should its deletion fail now (\"does not exist\"):"
  say "next:  run the same command again with --refresh"
  rm -f "$PREPARED/$VMID" "/var/lib/proxmox-k3s/lxc-started/$VMID"
  outcome "guest $VMID is already gone"
  exit 0
fi
if ! is_ours "$conf"; then
  # A refresh may have dropped the guest from the state before; this step, its sibling, is there in any case.
  delete="pulumi state delete --yes --target-dependents"
  guard="${URN%\$*}\$command:remote:Command::$NAME-guard"
  refuse_foreign "$conf" "$NAME's own guest is gone: let the stack forget it by $delete '$URN' || $delete '$guard', then run the same command again"
fi
refuse_kept "$conf" "it was not shut down"
outcome "guest $VMID is ours"
