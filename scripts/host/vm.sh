# vm (Proxmox host): makes a virtual machine a node's: waits for its guest agent and the end of cloud-init, sets up access by SSH,
# and lets its file system fill its disk. The host records that this program finished the guest.
# Arguments: ACTION, VMID, NAME, ADDRESS, DISK (GiB; a new size runs this step again), AUTHORIZED_KEYS (one per
# line). Inputs: MARK, URN (the guest's resource).
# Files: sshd.conf (hardening), sshd-tmpfiles.conf, guest-ssh.sh, guest-vm.sh.

# Seconds for the first boot until the guest agent answers, and until cloud-init has ended.
BOOT=300
CLOUD_INIT=600
need_created
await_unlocked "$machine"
finished
if ! guest_runs "$VMID"; then
  say "starting $NAME ($VMID)"
  guest_start "$VMID"
fi

# no_agent: why a machine that has booted has none, and what to do.
no_agent() {
  if main_section "$machine" | grep -q '^cicustom:.*vendor='; then
    printf '%s' "cloud-init did not install the guest agent: give the machine a gateway, DNS and a package mirror that it reaches, or an image with qemu-guest-agent and installAgent: false"
  else
    printf '%s' "its template has no guest agent: install qemu-guest-agent there, or set installAgent: true in the pool"
  fi
}
await_agent() {
  say "waiting for the guest agent of $NAME ($VMID)"
  began=$(now)
  until agent_answers "$VMID"; do
    still_runs "it was set up" "pulumi up"
    [ $(($(now) - began)) -lt "$BOOT" ] || fail "the guest agent of $NAME ($VMID) does not answer $BOOT s after its start" \
      "look at its console with qm terminal $VMID on the Proxmox host. If it still boots: pulumi up. If it has booted, $(no_agent), then pulumi up --replace '$URN'"
    sleep 0.5
  done
}
await_agent

# cloud-init writes the address, the keys and the host keys. SSH may answer before it has ended.
# plain: what the guest says, for people: printable, and not long.
plain() { tr -c '[:print:]\n' '?' | cut -c 1-300 | tail -n "$1" | sed 's/^/  /'; }
guest_exec "$VMID" sh -c 'command -v cloud-init' >/dev/null ||
  fail "$NAME ($VMID) has no cloud-init, which writes its address and its keys" \
    "install cloud-init in its template, then pulumi up --replace '$URN'"
say "waiting for the end of cloud-init in $NAME ($VMID)"
began=$(now)
status=running
while :; do
  # One call waits in the machine, as long as a command may take: each starts Python while the machine still boots.
  status=$(guest_exec "$VMID" cloud-init status --wait 2>/dev/null | sed -n 's/^status: *\([a-z ]*\) *$/\1/p' | head -n 1 || :)
  case $status in done | error | disabled) break ;; esac
  still_runs "it was set up" "pulumi up"
  [ $(($(now) - began)) -lt "$CLOUD_INIT" ] || fail "cloud-init in $NAME ($VMID) has not ended after $CLOUD_INIT s (status: ${status:-unknown}):
$(guest_exec "$VMID" tail -n 5 /var/log/cloud-init.log 2>/dev/null | plain 5)" \
    "look at it with $(guest_command "$VMID" "cloud-init status --long") on the Proxmox host, then pulumi up"
  sleep 0.5
done
if [ "$status" = error ]; then
  # The result names the modules; the log has the lines.
  fail "cloud-init in $NAME ($VMID) ended in error:
$(guest_exec "$VMID" sed -n '/"errors"/,/]/{/["]errors["]/d; /]/d; p}' /run/cloud-init/result.json 2>/dev/null | plain 5)
$(guest_exec "$VMID" grep -hE '\[(ERROR|WARNING|CRITICAL)\]|Error: ' /var/log/cloud-init.log 2>/dev/null | plain 5)" \
    "fix the module in its template, then pulumi up --replace '$URN'; or fix it in the machine, then $(guest_command "$VMID" "cloud-init clean --logs --reboot") and pulumi up"
fi
await_address 60 "check net0 and ipconfig0 in qm config $VMID on the Proxmox host, and the bridge; then pulumi up"

say "setting up SSH in $NAME ($VMID)"
printf '%s\n' "$AUTHORIZED_KEYS" >"$WORK/authorized_keys"
if ! set_up_ssh; then
  still_runs_after_failure "it was set up" "pulumi up"
  fail "SSH could not be set up in $NAME ($VMID); the lines above say why" "fix it with qm terminal $VMID on the Proxmox host, then pulumi up"
fi
guest_feed "$VMID" sh -s <"$WORK/guest-vm.sh" >"$WORK/settled" ||
  fail "the file system of $NAME ($VMID) could not be made as large as its disk; the lines above say why" "fix it with qm terminal $VMID on the Proxmox host, then pulumi up"
plain 5 <"$WORK/settled"
if grep -qx "new machine id" "$WORK/settled"; then
  say "restarting $NAME ($VMID), which had the machine id of its template"
  guest_shut_down "$VMID"
  guest_start "$VMID"
  await_agent
fi
outcome "virtual machine $VMID is set up"
