# Guests of the Proxmox host: how to tell whose they are. lib/acts.sh acts on them. A description is public, and
# any user of Proxmox VE can copy it: it distinguishes our guests from others, but it proves nothing. A guest is trusted only if
# a record on the host, which only root can write, also says that this program finished it.
# A function with local variables runs in a subshell, (…), so that it does not change variables of its caller.
# Inputs: MARK; VMID and NAME of the node that the step is about.

CREATIONS=/var/lib/proxmox-k3s/creations
PREPARED=/var/lib/proxmox-k3s/prepared
# Sums of the program's lines with which each guest was last started.
STARTED=/var/lib/proxmox-k3s/started

# --- configuration files ----------------------------------------------------------------------------------------------
# conf_of VMID: the guest's configuration file anywhere in the Proxmox VE cluster; fails if there is none.
conf_of() (
  case $1 in *[!0-9]* | '') return 1 ;; esac
  found=$(confs "$1")
  [ -n "$found" ] && printf '%s\n' "${found%%
*}"
)
# confs [VMID]: the configuration files of all guests of the Proxmox VE cluster, one a line, or of those with this VMID.
# confs_here: of this Proxmox host's guests.
confs() { confs_below "${1:-}" /etc/pve/nodes/*; }
confs_here() { confs_below "" /etc/pve; }
confs_below() (
  whose=${1:-*}
  shift
  for pve_node in "$@"; do
    # shellcheck disable=SC2086 # it may be a pattern
    for file in "$pve_node"/lxc/$whose.conf "$pve_node"/qemu-server/$whose.conf; do
      if [ -e "$file" ]; then printf '%s\n' "$file"; fi
    done
  done
)
guest_conf() { conf_of "$VMID"; }

# Parts of a configuration file's path: /etc/pve/nodes/NODE/KIND/VMID.conf, KIND lxc or qemu-server. Each step calls these
# functions many times, so they start no program.
kind_of() { set -- "${1%/*}" && printf '%s\n' "${1##*/}"; }
pve_node_of() { set -- "${1%/*/*}" && printf '%s\n' "${1##*/}"; }
vmid_of() { set -- "${1##*/}" && printf '%s\n' "${1%.conf}"; }
is_container() { [ "$(kind_of "$1")" = lxc ]; }
# tool_of FILE: Proxmox VE's command for guests of this kind.
tool_of() { if is_container "$1"; then printf 'pct'; else printf 'qm'; fi; }

# is_here FILE: the guest is on this Proxmox host. Only its own host can act on it. A migration moves the file.
is_here() { [ -e "/etc/pve/$(kind_of "$1")/$(vmid_of "$1").conf" ]; }
this_host() { basename "$(readlink "/etc/pve/lxc" | sed 's|/lxc$||')"; }
# way_back FILE: the command that moves a guest from another Proxmox node to this one.
way_back() (
  if is_container "$1"; then how=--restart; else how=--online; fi
  printf '%s migrate %s %s %s on %s' "$(tool_of "$1")" "$(vmid_of "$1")" "$(this_host)" "$how" "$(pve_node_of "$1")"
)

# main_section FILE: the file without snapshots and pending changes.
main_section() { sed '/^\[/,$d' "$1"; }

# signs_of FILE: "OURS CREATION RAW NAME", each `-` if it is missing. OURS is `ours` if the main section has our mark, which is compared as
# text and never as a pattern. CREATION is the id of the guest's creation, in the description before the mark. RAW is `raw` if there are
# raw lines. NAME is the guest's name, if it is a valid host name. One program for all, because every call to a guest asks.
signs_of() {
  awk '
    BEGIN { mark = ENVIRON["MARK"]; ours = creation = raw = name = "-" }
    /^\[/ { exit }
    /^#/ && mark != "" && length($0) > length(mark) && substr($0, length($0) - length(mark) + 1) == mark { ours = "ours" }
    /^#creation [0-9a-f]+ of / && creation == "-" && index($0, " of ") == 27 { creation = substr($0, 11, 16) }
    /^lxc\./ { raw = "raw" }
    /^(hostname|name): *[A-Za-z0-9][A-Za-z0-9.-]* *$/ && name == "-" { sub(/^[a-z]*: */, ""); sub(/ *$/, ""); name = $0 }
    END { print ours, creation, raw, name }
  ' "$1" 2>/dev/null || echo - - - -
}
# sign FILE PLACE: one of these; empty if it is missing.
sign() (
  place=$2
  # shellcheck disable=SC2046 # four words
  set -- $(signs_of "$1")
  shift $((place - 1))
  [ "$1" = - ] || printf '%s\n' "$1"
)
creation_of() { sign "$1" 2; }
guest_name() { sign "$1" 4; }

# lock_of FILE: Proxmox VE's lock on the guest: `create`, `backup` …; empty if there is none.
lock_of() { main_section "$1" | sed -n 's/^lock: *\([a-z-]*\) *$/\1/p' | head -n 1; }

# further_networks FILE: network interfaces in addition to the node's own, "net1 name=eth1,bridge=…", one per line.
further_networks() { main_section "$1" | sed -n 's/^\(net[1-9][0-9]*\): *\([A-Za-z0-9=,.:;/_-]*\) *$/\1 \2/p'; }

# disks_of FILE: the node whose further disks this guest keeps (docs/decisions/0016); empty for any other guest.
disks_of() { main_section "$1" | sed -n 's/^#disks of \([a-z0-9-]*\) of .*$/\1/p' | head -n 1; }

# drives_of FILE: the disks of a virtual machine on its SCSI controller, "SLOT VOLUME SERIAL|- GiB", one per line.
drives_of() {
  main_section "$1" | sed -n 's/^\(scsi[0-9]*\): *\([^ ]*\) *$/\1,\2/p' | awk -F , '
    {
      number = "-"
      gib = 0
      for (i = 3; i <= NF; i++) {
        if (sub(/^serial[=]/, "", $i)) number = $i
        else if (sub(/^size[=]/, "", $i)) gib = $i / ($i ~ /T$/ ? 1 / 1024 : $i ~ /M$/ ? 1024 : $i ~ /K$/ ? 1048576 : 1)
      }
      sub(/^file[=]/, "", $2)
      printf "%s %s %s %d\n", $1, $2, number, gib
    }'
}

# free_slot FILE FIRST: the first free place on its SCSI controller, from scsiFIRST on.
free_slot() (
  slot=$2
  while main_section "$1" | grep -q "^scsi$slot:"; do slot=$((slot + 1)); done
  [ "$slot" -le 30 ] || fail "guest $(vmid_of "$1") has no room for another disk: its controller takes 31" "remove a disk from the guest, then pulumi up"
  printf 'scsi%s' "$slot"
)

# --- whose it is ------------------------------------------------------------------------------------------------------
# is_ours FILE: the main section has our mark.
is_ours() { [ -n "$(sign "$1" 1)" ]; }

# has_our_guest VMID: there is a guest, and it has our mark.
has_our_guest() (
  conf=$(conf_of "$1") && is_ours "$conf"
)

# has_record FOLDER FILE: FOLDER has the root-only record of exactly this creation of the guest.
has_record() { is_recorded "$1" "$2" "$(creation_of "$2")"; }
# is_recorded FOLDER FILE CREATION
is_recorded() { [ -n "$3" ] && [ "$(cat "$1/$(vmid_of "$2")" 2>/dev/null || :)" = "$3" ]; }
record() { # record FOLDER CREATION
  mkdir -p "$1"
  printf '%s\n' "$2" >"$1/$VMID"
}

# Only root on the host can write raw lines into a container's configuration.
has_raw_lines() { [ -n "$(sign "$1" 3)" ]; }

# is_prepared FILE: this program finished it. For a container the raw lines are a second proof: a container that somebody
# created later with the same VMID and description has none.
is_prepared() {
  # shellcheck disable=SC2046 # four words
  are_prepared "$1" $(signs_of "$1")
}
are_prepared() { is_recorded "$PREPARED" "$1" "${3#-}" && { ! is_container "$1" || [ "$4" = raw ]; }; } # are_prepared FILE SIGNS…

# was_node FILE: it is, was, or may have been a node: one of the two signs is enough.
was_node() { has_record "$PREPARED" "$1" || has_raw_lines "$1"; }

# is_unfinished FILE: a guest of ours whose creation began and never finished. A copy has another VMID, and a restored backup
# has no such record any more.
is_unfinished() { has_record "$CREATIONS" "$1" && ! was_node "$1"; }

# is_trusted FILE [NAME]: the scripts may run commands in the guest and copy files into it; with NAME it must also have that name.
is_trusted() (
  file=$1 wanted=${2:-}
  # shellcheck disable=SC2046 # four words
  set -- $(signs_of "$file")
  [ "$1" = ours ] && are_prepared "$file" "$@" && is_here "$file" && { [ -z "$wanted" ] || [ "$4" = "$wanted" ]; }
)

# trusts VMID [NAME]: there is such a guest.
trusts() (
  conf=$(conf_of "$1") && is_trusted "$conf" "${2:-}"
)

# former_mark FILE: the mark of this cluster under an earlier project or stack name; empty for a guest that is not ours.
former_mark() {
  main_section "$1" | sed -n "s|^#.* of \(proxmox-k3s [A-Za-z0-9._-]*/[A-Za-z0-9._-]*/[A-Za-z0-9._-]* ${MARK##* }\)\$|\1|p" |
    grep -vFx -- "$MARK" | head -n 1 || :
}

# other_state FILE: the guest's mark, if it has this cluster's name but another id: the guest is in another state, because this state was
# lost or is empty, or somebody works from a second machine. Before the first `up` there is no MARK, so compare the node's name.
# Otherwise empty.
other_state() (
  mark=$(main_section "$1" | sed -n 's|^#.* of \(proxmox-k3s [A-Za-z0-9._-]*/[A-Za-z0-9._-]*/[A-Za-z0-9._-]* [0-9a-f]\{16\}\)$|\1|p' | head -n 1)
  if [ -z "$mark" ] || [ "$mark" = "$MARK" ]; then return 0; fi
  if [ -n "$MARK" ]; then [ "${mark% *}" = "${MARK% *}" ] || return 0; else [ "$(guest_name "$1")" = "$NAME" ] || return 0; fi
  printf '%s' "$mark"
)
USE_OTHER_STATE='use the state that has these guests: pulumi login to its backend, or copy it to this machine (docs/second-machine.md). Other VMIDs would make a second cluster'

# foreign_guest FILE: describes a guest that is not ours.
foreign_guest() (
  printf 'the guest "%s" (%s), which ' "$(guest_name "$1")" "$1"
  former=$(former_mark "$1")
  other=$(other_state "$1")
  if [ -n "$former" ]; then
    printf 'has this cluster'\''s id under another name (%s)' "$former"
  elif [ -n "$other" ]; then
    printf 'is a node of this cluster in another Pulumi state (%s)' "$other"
  else
    printf 'is not ours'
  fi
)

# way_on FILE NEXT: the next step: if the stack or project was renamed, the command that writes the new mark; if the guest is in another
# state, how to use that; otherwise NEXT.
way_on() (
  former=$(former_mark "$1")
  if [ -n "$former" ]; then
    printf "if the stack or the project was renamed: sed -i 's|%s|%s|' /etc/pve/nodes/*/%s/*.conf on the Proxmox host, then run the same command again" "$former" "$MARK" "$(kind_of "$1")"
  elif [ -n "$(other_state "$1")" ]; then
    printf '%s' "$USE_OTHER_STATE"
  else
    printf '%s' "$2"
  fi
)

ANOTHER_VMID="give the node another VMID in the config (vmIds of its pool, or nodes: { <index>: { vmId: … } }), then pulumi up"

# refuse_foreign FILE NEXT: fails with the guest that has our VMID, and the next step.
refuse_foreign() {
  fail "VMID $VMID, wanted for $NAME, belongs to $(foreign_guest "$1"); it was not touched" "$(way_on "$1" "$2")"
}

# refuse_unknown FILE: fails because the guest has our mark, but the host has no record of it.
refuse_unknown() {
  fail "guest $(vmid_of "$1") ($(guest_name "$1")) has this cluster's mark, but this Proxmox host has no record that the program created it; it was not touched" \
    "if somebody copied the description: delete that guest. If it is the cluster's own node and /var/lib/proxmox-k3s was lost: printf '%s\\n' $(creation_of "$1") >$PREPARED/$(vmid_of "$1") on the Proxmox host"
}

# need_here FILE [NEXT]: ends the step if another Proxmox node runs our guest; NEXT is the step after it is back.
need_here() {
  is_here "$1" || fail "guest $(vmid_of "$1") ($(guest_name "$1")) is on the Proxmox node $(pve_node_of "$1"), to which somebody migrated it; the config has it on $(this_host). It was not touched" \
    "bring it back: $(way_back "$1"); then ${2:-pulumi up}"
}

# is_bare FILE: the file has only a lock. Proxmox VE begins each creation and each copy with such a file, which does not yet show whose
# the guest is. The file of a copy stays like that until the first disk is copied.
is_bare() { [ -e "$1" ] && [ -z "$(guest_name "$1")" ] && case $(lock_of "$1") in create | clone) ;; *) return 1 ;; esac; }

# await_birth FILE: waits until the rest of such a file is written, because only then it shows whose the guest is.
await_birth() (
  looks=0
  while is_bare "$1" && [ "$looks" -lt 60 ]; do
    looks=$((looks + 1))
    sleep 0.5
  done
)

# worker_lock FILE: the file that a worker of Proxmox VE locks while it creates the guest.
worker_lock() {
  if is_container "$1"; then echo "/run/lock/lxc/pve-config-$(vmid_of "$1").lock"; else echo "/run/lock/qemu-server/lock-$(vmid_of "$1").conf"; fi
}

# is_begun FILE: such a file, and this host has a record that the program began to create a guest with this VMID.
is_begun() { is_bare "$1" && [ -e "$CREATIONS/$(vmid_of "$1")" ]; }

# --- what blocks it ---------------------------------------------------------------------------------------------------
# await_unlocked FILE: waits until no task of Proxmox VE locks the guest; ends the step after two minutes.
await_unlocked() (
  held_since=$(now)
  while [ -n "$(lock_of "$1")" ]; do
    [ $(($(now) - held_since)) -lt 120 ] || fail "guest $(vmid_of "$1") stays locked ($(lock_of "$1"))" \
      "see the running task in the Proxmox task log; if none runs: $(tool_of "$1") unlock $(vmid_of "$1"); then pulumi up"
    sleep 0.5
  done
)

# kept_by FILE: each reason why Proxmox VE would refuse to destroy the guest, with the command that removes it, one per line; nothing if
# it would not refuse (PVE::API2::LXC, destroy_vm).
kept_by() (
  id=$(vmid_of "$1")
  if is_container "$1"; then type=ct; else type=vm; fi
  is_here "$1" || echo "  - it is on the Proxmox node $(pve_node_of "$1"), to which somebody migrated it ($(way_back "$1"))"
  if main_section "$1" | grep -qE '^protection: *1 *$'; then echo "  - it is protected ($(tool_of "$1") set $id --protection 0)"; fi
  if grep -qsE "^$type: *$id *\$" /etc/pve/ha/resources.cfg; then
    echo "  - it is in the high availability of Proxmox VE (ha-manager remove $type:$id)"
  fi
  if [ -r /etc/pve/replication.cfg ]; then
    sed -n "s/^local: *\($id-[0-9]*\) *\$/  - the replication job \1 copies it (pvesr delete \1)/p" /etc/pve/replication.cfg
  fi
)

# own_disks FILE: the disks that are destroyed with the guest, except its root disk, for people, one per line. A mounted folder of the
# host, or a disk of another guest, stays. The drive with cloud-init's settings is no disk.
own_disks() {
  main_section "$1" | sed '/^scsi0:/d; /[:,]media=cdrom/d' |
    sed -n "s/^\(\(mp\|unused\|scsi\|virtio\|sata\|ide\)[0-9]*\): *\([A-Za-z0-9._-]*:[A-Za-z0-9._/-]*\(vm\|subvol\)-$(vmid_of "$1")-[A-Za-z0-9._-]*\).*/  - disk \1 of its guest (\3)/p"
}

# refuse_kept FILE WHAT: ends the step if Proxmox VE would refuse to destroy the guest; WHAT says what was not done because of that.
refuse_kept() {
  kept_for=$(kept_by "$1")
  [ -z "$kept_for" ] || fail "guest $(vmid_of "$1") ($(guest_name "$1")) cannot be destroyed, so $2:
$kept_for" "run the commands in brackets on the Proxmox host, then the same command again"
}
