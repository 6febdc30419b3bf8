# claim (Proxmox host): checks that $VMID is free or ours. The Proxmox provider itself would take over a guest that is not ours:
# its create retries a 500 and takes "already exists" on the retry for success, and it changes any guest that has the VMID.
# Runs before each creation and each change of a guest. Arguments: ACTION create|update, VMID, NAME (the node), CREATION (the
# id of the creation that is about to begin, kept here until host/lxc.sh or host/vm.sh has finished; for a change, empty, or the id of
# a creation that failed, whose guest is about to be destroyed),
# NETWORK keep|change (the change writes the guest's network interfaces), TEMPLATE (the VMID of the template that a new virtual
# machine is a clone of, or empty). Input: MARK.

# await_template: Proxmox VE refuses a clone while another task holds the template, for example a backup.
await_template() {
  template=$(conf_of "$TEMPLATE") || return 0
  began=$(now)
  while lock=$(lock_of "$template") && [ -n "$lock" ]; do
    [ $(($(now) - began)) -lt 240 ] || fail "the template $TEMPLATE of $NAME stays locked ($lock), so no machine was cloned from it" \
      "wait until the running task in the Proxmox task log ends; if none runs: qm unlock $TEMPLATE; then pulumi up"
    sleep 0.5
  done
}

if conf=$(guest_conf); then await_birth "$conf"; fi
if ! conf=$(guest_conf); then
  if [ "$ACTION" = create ]; then
    [ -z "$TEMPLATE" ] || await_template
    record "$CREATIONS" "$CREATION"
    rm -f "$PREPARED/$VMID" # of a guest that had this VMID before
  fi
  outcome "VMID $VMID is free"
  exit 0
fi
if is_begun "$conf"; then
  fail "VMID $VMID, wanted for $NAME, is being created, or its creation was interrupted before it had a name" "npx proxmox-k3s recover, which says what to do"
fi
is_ours "$conf" || refuse_foreign "$conf" "$ANOTHER_VMID"
held=$(guest_name "$conf")
if [ "$held" != "$NAME" ]; then
  fail "VMID $VMID, wanted for $NAME, is this cluster's node $held; it was not touched" \
    "give $NAME another VMID; or first remove $held (its pool's count or retired), then pulumi up. A node cannot be renamed in place"
fi
# A refresh that did not find it here has removed it from the state.
case $ACTION in
  create) need_here "$conf" "npx proxmox-k3s recover, which takes it into the state again" ;;
  *) need_here "$conf" ;;
esac
if [ "$ACTION" = create ]; then
  fail "VMID $VMID has our mark, but is not in this stack's state: its creation was interrupted, or the state was lost" \
    "npx proxmox-k3s recover   (it shows what it will do, and asks), then pulumi up"
fi
if [ -n "$CREATION" ] && { [ "$(creation_of "$conf")" != "$CREATION" ] || ! is_unfinished "$conf"; }; then
  fail "guest $VMID ($NAME) is no longer the guest whose creation failed; it was not destroyed" \
    "if another copy of the state has finished it, use that one (docs/second-machine.md); else pulumi up --refresh, which takes the guest as it is"
fi
# The provider writes all interfaces at once, and so removes those that it does not know.
further=$(further_networks "$conf")
if [ "$NETWORK" = change ] && [ -n "$further" ]; then
  fail "this change of the network of guest $VMID ($NAME) would remove $(echo "$further" | cut -d' ' -f1 | paste -sd, -), which somebody added; it was not changed" \
    "$(tool_of "$conf") set $VMID --delete $(echo "$further" | cut -d' ' -f1 | paste -sd, -) on the Proxmox host, then pulumi up --refresh, then put back what was there: $(tool_of "$conf") set $VMID $(echo "$further" | sed 's/^/--/' | paste -sd' ' -)"
fi
outcome "VMID $VMID is ours"
