# Whose guest is it: on the Proxmox host, a guest is ours when the main section of its configuration carries our mark.

# conf_of VMID: the guest's configuration file anywhere in the Proxmox cluster; fails when there is none.
conf_of() {
  for file in /etc/pve/nodes/*/lxc/"$1".conf /etc/pve/nodes/*/qemu-server/"$1".conf; do
    if [ -e "$file" ]; then
      printf '%s\n' "$file"
      return 0
    fi
  done
  return 1
}
guest_conf() { conf_of "$VMID"; }

# main_section FILE: without snapshots and pending changes.
main_section() { sed '/^\[/,$d' "$1"; }

# is_ours FILE
is_ours() { main_section "$1" | grep -q "^#.*$MARK\$"; }

# has_our_guest VMID: there is a guest, and it is ours.
has_our_guest() { conf=$(conf_of "$1") && is_ours "$conf"; }

# guest_name FILE: what a person calls it.
guest_name() { main_section "$1" | sed -n 's/^\(hostname\|name\): *//p' | head -n 1; }

# lock_of FILE: what holds the guest: `create`, `backup` …; empty when nothing does.
lock_of() { main_section "$1" | sed -n 's/^lock: *//p'; }

# await_birth FILE: Proxmox VE begins a creation with a file that says only that it is locked. Whose the guest is shows
# when the rest is written.
await_birth() {
  looks=0
  while [ -e "$1" ] && [ "$(lock_of "$1")" = create ] && [ -z "$(guest_name "$1")" ] && [ "$looks" -lt 60 ]; do
    looks=$((looks + 1))
    sleep 0.5
  done
}

# is_prepared FILE: it has raw lines. Only root on the host can write them, after the creation (lxc.sh), and without them
# no K3s runs in a container: a guest of ours that has none never was a node.
is_prepared() { main_section "$1" | grep -q '^lxc\.'; }

# creation_of FILE: the number of its creation, which is in the description before the mark.
creation_of() { main_section "$1" | sed -n "s|^#creation \([0-9a-f]\{16\}\) of .*$MARK\$|\1|p"; }

# The record of a creation that was begun (claim.sh) and not yet followed by anything (lxc.sh): its number, by VMID.
CREATIONS=/var/lib/proxmox-k3s/creations
record_creation() {
  mkdir -p "$CREATIONS"
  printf '%s\n' "$1" >"$CREATIONS/$VMID"
}
forget_creation() { rm -f "$CREATIONS/$VMID"; }

# is_unfinished FILE: a guest of ours that never was more than its creation. A copy has another VMID, a backup that was put
# back has no record any more.
is_unfinished() {
  number=$(creation_of "$1")
  vmid=${1##*/}
  ! is_prepared "$1" && [ -n "$number" ] && [ "$(cat "$CREATIONS/${vmid%.conf}" 2>/dev/null || :)" = "$number" ]
}

# former_mark FILE: the mark of this very cluster under another project or stack name; empty for a stranger's guest.
former_mark() { main_section "$1" | sed -n "s|^#.*\(proxmox-k3s [^ ]* ${MARK##* }\)\$|\1|p" | grep -vFx -- "$MARK" || :; }

# foreign_guest FILE: whose the guest is that is not ours.
foreign_guest() {
  printf 'the guest "%s" (%s), which ' "$(guest_name "$1")" "$1"
  former=$(former_mark "$1")
  if [ -z "$former" ]; then printf 'is not ours'; else printf 'carries this cluster'\''s id under another name (%s)' "$former"; fi
}

# way_on FILE NEXT: NEXT, or for a renamed cluster the command that marks its guests anew.
way_on() {
  former=$(former_mark "$1")
  if [ -z "$former" ]; then
    printf '%s' "$2"
  else
    printf "if the stack or the project was renamed: sed -i 's|%s|%s|' /etc/pve/nodes/*/lxc/*.conf on the Proxmox host, then run the same command again" "$former" "$MARK"
  fi
}

ANOTHER_VMID="give the node another VMID in the config (vmIds of its pool, or nodes: { <index>: { vmId: … } }), then pulumi up"

# refuse_foreign FILE NEXT: ends the step, naming the guest that has our VMID, and what to do.
refuse_foreign() {
  fail "VMID $VMID, wanted for $NAME, belongs to $(foreign_guest "$1"); it was not touched" "$(way_on "$1" "$2")"
}
