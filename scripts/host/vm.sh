# vm (Proxmox host): prepares a virtual machine for its node: waits for its guest agent and the end of cloud-init, sets up access by
# SSH, and grows its file system to the size of its disk. The host records that this program finished the guest.
# The provider changes no disk of an existing machine (components/machine/byHand.ts), so this step grows them, and attaches those that
# another guest keeps for the node.
# Arguments: ACTION, VMID, NAME, ADDRESS, DISK (GiB), DISKS (further disks: "serial storage GiB", one per line), DISKS_VMID (the
# guest that keeps them; empty if there are none), AUTHORIZED_KEYS (one per line). Inputs: MARK, URN (the guest's resource).
# Files: sshd.conf (hardening), sshd-tmpfiles.conf, guest-ssh.sh, guest-disk.sh, guest-machine-id.sh.

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

# no_agent: for people: why a machine that has booted has no guest agent, and what to do.
no_agent() {
  if main_section "$machine" | grep -q '^cicustom:.*vendor='; then
    printf '%s' "cloud-init did not install the guest agent: give the machine a gateway, DNS and a package mirror that it reaches, or an image with qemu-guest-agent and installAgent: false"
  else
    printf '%s' "its template has no guest agent: install qemu-guest-agent there, or set installAgent: true in the pool"
  fi
}
# drive FILE FIELD VALUE: the line of drives_of that has this value. grow SLOT IS WANTED WHAT: grows a disk (GiB); ends the step if it
# is larger than wanted.
drive() { drives_of "$1" | awk -v at="$2" -v value="$3" '$at == value { print; exit }'; }
size_of() { cut -d' ' -f4; }
grow() {
  [ "$2" -le "$3" ] || fail "$4 of $NAME ($VMID) has $2GB, the config says $3GB, and a disk cannot shrink; it was not changed" "set $2GB in the config, then pulumi up"
  [ "$2" -lt "$3" ] || return 0
  say "growing $4 of $NAME ($VMID) from $2GB to $3GB"
  disk_grow "$VMID" "$1" "$3" </dev/null || fail "$4 of $NAME ($VMID) could not grow to $3GB; the lines above say why" "fix the cause, then pulumi up"
}
root=$(drive "$machine" 1 scsi0 | size_of)
grow scsi0 "${root:-$DISK}" "$DISK" "the disk"

if [ -n "$DISKS" ]; then
  anew="pulumi up --replace with the URN of $NAME-disks, which creates it again, empty"
  { keeper=$(conf_of "$DISKS_VMID") && is_ours "$keeper" && [ "$(disks_of "$keeper")" = "$NAME" ]; } ||
    fail "guest $DISKS_VMID, which keeps the further disks of $NAME, is gone" "restore it from a backup; or $anew"
  printf '%s\n' "$DISKS" >"$WORK/wanted"
  while read -r disk _ gib; do
    drive "$keeper" 3 "$disk" >"$WORK/kept"
    read -r kept volume _ <"$WORK/kept" || fail "guest $DISKS_VMID does not have the disk $disk of $NAME" "restore it from a backup; or $anew"
    if [ -z "$(drive "$machine" 2 "$volume")" ]; then
      say "attaching the disk $disk to $NAME ($VMID)"
      slot=$(free_slot "$machine" 1)
      disk_attach "$VMID" "$slot" "$volume" "$disk" </dev/null || fail "the disk $disk could not be attached to $NAME ($VMID); the lines above say why" "fix the cause, then pulumi up"
    fi
    attached=$(drive "$machine" 2 "$volume")
    grow "${attached%% *}" "$(echo "$attached" | size_of)" "$gib" "the disk $disk"
    if [ "$(size_of <"$WORK/kept")" != "$gib" ]; then keeper_note "$DISKS_VMID" "$kept" "$volume" "$disk" "$gib" </dev/null; fi
  done <"$WORK/wanted"
fi

# An interrupted first boot may leave empty files, and then cloud-init fails at each later boot.
remake="pulumi up --replace '$URN'"
if_stopped="pulumi up"
if [ "$ACTION" = create ]; then if_stopped="$remake, which creates it again"; fi
boots_on() { still_runs "it was set up" "$if_stopped"; }
await_agent() {
  say "waiting for the guest agent of $NAME ($VMID)"
  began=$(now)
  until agent_answers "$VMID"; do
    boots_on
    [ $(($(now) - began)) -lt "$BOOT" ] || fail "the guest agent of $NAME ($VMID) does not answer $BOOT s after its start" \
      "look at its console with qm terminal $VMID on the Proxmox host. If it still boots: pulumi up. If it has booted, $(no_agent), then $remake"
    sleep 0.5
  done
}
await_agent

# cloud-init writes the address, the keys and the host keys. SSH may answer before it has ended.
# plain LINES: the last lines of a guest's output, for people: printable, and not long.
plain() { tr -c '[:print:]\n' '?' | cut -c 1-300 | tail -n "$1" | sed 's/^/  /'; }
say "waiting for the end of cloud-init in $NAME ($VMID)"
began=$(now)
status=running
while :; do
  # One call waits in the machine, as long as a command may take, because each call starts Python while the machine still boots. If the
  # machine does not answer, that does not mean that it has no cloud-init.
  status=$(guest_exec "$VMID" sh -c 'command -v cloud-init >/dev/null || { echo "status: missing"; exit; }; cloud-init status --wait' 2>/dev/null |
    sed -n 's/^status: *\([a-z ]*\) *$/\1/p' | head -n 1 || :)
  case $status in
    done | error | disabled) break ;;
    missing) fail "$NAME ($VMID) has no cloud-init, which writes its address and its keys" "install cloud-init in its template, then $remake" ;;
  esac
  boots_on
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
    "fix the module in its template, unless its first boot was interrupted, then $remake; or fix it in the machine, then $(guest_command "$VMID" "cloud-init clean --logs --reboot") and pulumi up"
fi
await_address 60 "check net0 and ipconfig0 in qm config $VMID on the Proxmox host, and the bridge; then pulumi up" "$if_stopped"

say "setting up SSH in $NAME ($VMID)"
printf '%s\n' "$AUTHORIZED_KEYS" >"$WORK/authorized_keys"
if ! set_up_ssh; then
  still_runs_after_failure "it was set up" "$if_stopped"
  fail "SSH could not be set up in $NAME ($VMID); the lines above say why" "fix it with qm terminal $VMID on the Proxmox host, then pulumi up"
fi
# settle FILE CAUSE: runs the file in the machine.
settle() {
  guest_feed "$VMID" sh -s <"$WORK/$1" >"$WORK/settled" || {
    still_runs_after_failure "it was set up" "$if_stopped"
    fail "$2; the lines above say why" "fix it with qm terminal $VMID on the Proxmox host, then pulumi up"
  }
  plain 5 <"$WORK/settled"
}
settle guest-disk.sh "the file system of $NAME ($VMID) could not be made as large as its disk"
# Last, because the machine restarts then.
settle guest-machine-id.sh "$NAME ($VMID) has the machine id of its template, and a new one could not be made"
if grep -qx "new machine id" "$WORK/settled"; then
  say "restarting $NAME ($VMID), which had the machine id of its template"
  guest_shut_down "$VMID"
  guest_start "$VMID"
  await_agent
fi
# The file systems of clones have the UUIDs of their template. That does no harm until a machine gets a disk of another clone.
UUIDS=/var/lib/proxmox-k3s/uuids
# shellcheck disable=SC2016 # the guest's values
guest_exec "$VMID" sh -c 'for at in / /boot /boot/efi /nix; do findmnt -nro UUID "$at"; done' 2>/dev/null |
  sed -n 's/^\([0-9A-Fa-f-]\{8,36\}\)$/\1/p' | sort -u >"$WORK/uuids" || :
if [ -s "$WORK/uuids" ]; then
  install_file 0600 "$WORK/uuids" "$UUIDS/$VMID" || :
  for other in "$UUIDS"/*; do
    other_vmid=${other##*/}
    if [ "$other_vmid" != "$VMID" ] && has_our_guest "$other_vmid" && shared=$(grep -xFf "$WORK/uuids" "$other"); then
      say "$NAME and $(guest_name "$(conf_of "$other_vmid")") ($other_vmid) have file systems of one template, with the same UUID: $(echo "$shared" | paste -s -d ' ' -). Do not attach a disk of one to the other"
    fi
  done
fi
outcome "virtual machine $VMID is set up"
