# The only functions that act on guests: no other script calls pct or qm. They hide whether a guest is a container or a virtual
# machine.

# Time limit for a command in a guest, in seconds.
GUEST_BOUND=60

# need_trusted VMID: ends the step if the guest is not trusted; answers 1 if there is no guest.
need_trusted() {
  machine=$(conf_of "$1") || return 1
  if is_trusted "$machine"; then return 0; fi
  is_ours "$machine" || fail "guest $1 ($(guest_name "$machine"), $machine) is not ours; it was not touched" "$(way_on "$machine" "delete or move that guest, then pulumi up --refresh")"
  is_prepared "$machine" || refuse_unknown "$machine"
  need_here "$machine"
}

# need_machine: ends the step if the node's own guest does not exist or is not trusted.
need_machine() {
  need_trusted "$VMID" || fail "guest $VMID does not exist on this Proxmox host" "pulumi up --refresh creates it again"
}

# run_in FILE COMMAND…: runs the command in the guest, without stdin. feed_in: the same with the caller's stdin. The callers
# know that the guest is ours.
run_in() { by_kind pct_run agent_run "$@" </dev/null; }
feed_in() { by_kind pct_run agent_feed "$@"; }
by_kind() { # by_kind FOR_A_CONTAINER FOR_A_VIRTUAL_MACHINE FILE ARGUMENT…: calls one of the functions, with the VMID in place of FILE
  if is_container "$3"; then act=$1; else act=$2; fi
  acts_on=$(vmid_of "$3")
  shift 3
  "$act" "$acts_on" "$@"
}
pct_run() {
  acts_on=$1
  shift
  timeout -k 5 "$GUEST_BOUND" pct exec "$acts_on" -- "$@"
}
pct_push() { pct push "$1" "$2" "$3" --perms "$4"; }

# guest_exec VMID COMMAND…: runs the command in the guest, without stdin. guest_feed: the same with the caller's stdin.
guest_exec() {
  need_trusted "$1" || return 1
  shift
  run_in "$machine" "$@"
}
guest_feed() {
  need_trusted "$1" || return 1
  shift
  feed_in "$machine" "$@"
}

# guest_push VMID FILE TARGET MODE: copies a file of the host into the guest.
guest_push() {
  need_trusted "$1" || return 1
  shift
  by_kind pct_push agent_push "$machine" "$@"
}

# guest_runs VMID: asks only Proxmox VE, not the guest.
guest_runs() (
  asked=$(conf_of "$1") && [ "$("$(tool_of "$asked")" status "$1" 2>/dev/null)" = "status: running" ]
)

# At each start of a container, LXC warns that the program's raw line for AppArmor overrides the features. Nobody needs that line.
guest_start() {
  need_trusted "$1" || return 1
  start_code=0
  "$(tool_of "$machine")" start "$1" >"$WORK/start" 2>&1 || start_code=$?
  grep -v '^explicitly configured lxc.apparmor.profile overrides' "$WORK/start" >&2 || :
  return "$start_code"
}
guest_stop() { need_trusted "$1" && "$(tool_of "$machine")" stop "$1"; }
# guest_shut_down VMID: a clean shutdown; a forced stop after two minutes.
guest_shut_down() { need_trusted "$1" && "$(tool_of "$machine")" shutdown "$1" --forceStop 1 --timeout 120; }

# has_k3s_on_disk FILE: for a guest whose creation never finished.
has_k3s_on_disk() { is_unfinished "$1" && run_in "$1" test -e /etc/rancher/k3s/config.yaml 2>/dev/null; }

# guest_discard FILE: destroys a guest whose creation never finished.
guest_discard() {
  is_ours "$1" && is_unfinished "$1" || return 1
  discarded=$(vmid_of "$1")
  case $(lock_of "$1") in create | clone) "$(tool_of "$1")" unlock "$discarded" ;; esac
  if is_container "$1"; then
    pct destroy "$discarded" --force 1
  else
    if guest_runs "$discarded"; then qm stop "$discarded"; fi
    qm destroy "$discarded"
  fi
}
# destroy_command FILE: for people: the command that destroys the guest.
# shellcheck disable=SC2317
destroy_command() { if is_container "$1"; then echo "pct destroy $VMID --force"; else echo "qm stop $VMID && qm destroy $VMID"; fi; }

# guest_command VMID COMMAND: for people: the command that runs another one in the guest.
# shellcheck disable=SC2317 # not every task calls it
guest_command() {
  if is_vm "$1"; then printf 'qm guest exec %s -- %s' "$1" "$2"; else printf 'pct exec %s -- %s' "$1" "$2"; fi
}
# shellcheck disable=SC2317
command_of() { if is_vm "$1"; then echo qm; else echo pct; fi; }
is_vm() { [ -e "/etc/pve/qemu-server/$1.conf" ]; }

start_command() { # for people: the command that starts the node's guest and says why it ends
  if is_vm "$VMID"; then echo "qm start $VMID"; else echo "pct start $VMID --debug 1"; fi
}

# still_runs WHILE [NEXT]: ends the step if the guest has stopped. WHILE says what the step was doing, NEXT how to start it.
still_runs() {
  guest_runs "$VMID" || fail "$NAME ($VMID) stopped by itself while $1" "find the cause with $(start_command) on the Proxmox host, then ${2:-pulumi up --refresh}"
}

# still_runs_after_failure WHILE [NEXT]: the same after a failure in the guest. A guest that stops first stops its services, and
# Proxmox VE still calls it running for some moments.
still_runs_after_failure() {
  failed=$(now)
  while [ $(($(now) - failed)) -lt 5 ]; do
    still_runs "$@"
    sleep 0.2
  done
}

# need_created: sets machine; ends the step if the node's own guest is not there, or its creation did not begin on this host. Anybody
# can copy the mark, so a record must say that the creation began, or was finished, here.
need_created() {
  machine=$(guest_conf) || fail "guest $VMID does not exist on this Proxmox host" "pulumi up --refresh creates it again"
  is_ours "$machine" || refuse_foreign "$machine" "$ANOTHER_VMID"
  [ "$(guest_name "$machine")" = "$NAME" ] || fail "guest $VMID is this cluster's node $(guest_name "$machine"), not $NAME; it was not touched" "$ANOTHER_VMID"
  has_record "$CREATIONS" "$machine" || has_record "$PREPARED" "$machine" || refuse_unknown "$machine"
}

# finished: the host records that this program finished the guest.
finished() {
  record "$PREPARED" "$(creation_of "$machine")"
  rm -f "$CREATIONS/$VMID"
}

# set_up_ssh: access by key in the guest; one call for all files, as each call takes a while.
set_up_ssh() {
  tar -C "$WORK" -cf - authorized_keys sshd.conf sshd-tmpfiles.conf guest-ssh.sh |
    guest_feed "$VMID" sh -c 'mkdir -p /run/proxmox-k3s && tar -C /run/proxmox-k3s -xf - && sh /run/proxmox-k3s/guest-ssh.sh'
}

# await_address SECONDS NEXT [IF_STOPPED]: a guest also runs if its network did not start. Then only its host reaches it.
await_address() {
  until guest_exec "$VMID" ip -4 -oneline address show 2>/dev/null | grep -qF " $ADDRESS/"; do
    still_runs "it was set up" "${3:-pulumi up}"
    [ $(($(now) - began)) -lt "$1" ] || fail "$NAME ($VMID) runs, but without its address $ADDRESS" "$2"
    sleep 0.2
  done
}

# --- disks of virtual machines ----------------------------------------------------------------------------------------
# disk_grow VMID SLOT GiB: while it runs, the guest sees the new size at once.
disk_grow() { need_trusted "$1" && qm disk resize "$1" "$2" "$3G"; }
# disk_attach VMID SLOT VOLUME SERIAL
disk_attach() { need_trusted "$1" && qm set "$1" "--$2" "$3,serial=$4,discard=on,iothread=1"; }

# The guest that keeps a node's further disks is protected. It is a template, because Proxmox VE does not start those. A new disk of
# a template would be read-only, so it is no template while a disk is added.
keeper_create() { # keeper_create VMID NODE POOL
  qm create "$1" --name "$2-disks" --memory 16 --scsihw virtio-scsi-single --onboot 0 --protection 1 --pool "$3" \
    --description "disks of $2 of $MARK"
}
keeper_add() { # keeper_add VMID SLOT STORAGE GiB SERIAL: a new disk
  qm set "$1" --template 0 && qm set "$1" "--$2" "$3:$4,serial=$5,backup=0"
}
keeper_note() { qm set "$1" "--$2" "$3,serial=$4,backup=0,size=$5G"; } # keeper_note VMID SLOT VOLUME SERIAL GiB: another size
keeper_close() { qm set "$1" --template 1; }
keeper_destroy() { qm set "$1" --protection 0 && qm destroy "$1"; }

# --- virtual machines -------------------------------------------------------------------------------------------------
# Commands and files go through the QEMU guest agent, so that no network, no password and no unchecked host key
# is needed. `qm guest exec` answers in JSON when the command has ended; its own exit code is not that of the command.

# The host reads at most 1 MiB of stdin for a command, and base64 makes four bytes of three.
AGENT_CHUNK=524288

# agent_run VMID COMMAND…: runs the command in the guest, without stdin; ends with its exit code, 255 if the agent did not answer.
agent_run() {
  agent_vm=$1
  shift
  agent_call "$agent_vm" 0 timeout -k 5 "$GUEST_BOUND" "$@"
}

# agent_feed VMID COMMAND…: the same with the caller's stdin, at most AGENT_CHUNK bytes.
agent_feed() {
  agent_vm=$1
  shift
  # shellcheck disable=SC2016 # the guest's values
  base64 -w 0 | agent_call "$agent_vm" 1 sh -c 'base64 -d | "$@"' sh timeout -k 5 "$GUEST_BOUND" "$@"
}

# agent_call VMID PASS_STDIN COMMAND…
agent_call() (
  vm=$1 pass=$2
  shift 2
  answer=$(mktemp "$WORK/agent.XXXXXXXX")
  trap 'rm -f "$answer"' EXIT
  timeout -k 5 $((GUEST_BOUND + 30)) qm guest exec "$vm" --pass-stdin "$pass" --timeout $((GUEST_BOUND + 20)) -- \
    env HOME=/root "PATH=$PATH" "$@" >"$answer" || return 255
  perl -MJSON::PP -e '
    local $/;
    my $answer = eval { JSON::PP->new->decode(<STDIN>) };
    unless (ref $answer eq "HASH" && $answer->{exited}) { print STDERR "the guest agent gave no result\n"; exit 255 }
    # If the host wrote no escapes, the text is already bytes.
    for (["out-data", *STDOUT], ["err-data", *STDERR]) {
      my ($text, $to) = ($answer->{$_->[0]} // "", $_->[1]);
      utf8::encode($text) if $text =~ /[^\x00-\xff]/;
      print $to $text;
    }
    exit($answer->{signal} ? 128 + $answer->{signal} : $answer->{exitcode} // 255);
  ' <"$answer"
)

# agent_push VMID FILE TARGET MODE: copies a file into the guest in chunks; TARGET appears only when it is complete.
agent_push() (
  vm=$1 file=$2 target=$3 mode=$4
  size=$(stat -c %s "$file")
  agent_run "$vm" rm -f "$target.new" || return
  sent=0
  while [ "$sent" -eq 0 ] || [ $((sent * AGENT_CHUNK)) -lt "$size" ]; do
    # shellcheck disable=SC2016 # the guest's values
    dd if="$file" bs="$AGENT_CHUNK" skip="$sent" count=1 2>/dev/null |
      agent_feed "$vm" sh -c 'umask 077; cat >>"$1.new"' sh "$target" || return
    sent=$((sent + 1))
  done
  # shellcheck disable=SC2016 # the guest's values
  agent_run "$vm" sh -c '[ "$(stat -c %s "$1.new")" = "$3" ] && chmod "$2" "$1.new" && mv -f "$1.new" "$1"' sh "$target" "$mode" "$size"
)

# agent_answers VMID
agent_answers() { timeout -k 5 20 qm guest cmd "$1" ping >/dev/null 2>&1; }
