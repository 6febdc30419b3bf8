# The disks that the config gives to Longhorn, on a node that is Ready. Needs lib/longhorn. Arguments: VMID, NAME, LONGHORN_DISKS
# ("serial GiB", one per line). File: guest-unmount.sh.
# Longhorn creates its own Node. It takes disks from an annotation only while its Node has none. Later disks are added to its Node.

# Serials of the disks that this step has given to Longhorn.
GIVEN=$NOTES/$NAME.longhorn
# Disks whose replicas Longhorn is moving away: "NAMESPACE NAME_OF_THE_DISK", one per line.
TAKING=$EVICTING/$NAME.disks
DISK_CONFIG=node.longhorn.io/default-disks-config

# list_disks: writes the disks of Longhorn's Node to $WORK/longhorn.table: "NAME PATH UUID", one per line. Answers 1 if the API did not
# answer.
list_disks() {
  kubectl -n "$LONGHORN" get nodes.longhorn.io "$NAME" -o 'jsonpath={.spec.disks}{"\n"}{.status.diskStatus}' >"$WORK/longhorn.own" || return 1
  perl -MJSON::PP -e '
    chomp(my @lines = <STDIN>);
    my ($disks, $status) = map { defined $_ && $_ ne "" ? JSON::PP->new->decode($_) : {} } @lines[0, 1];
    for (sort keys %$disks) {
      next unless /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}\z/;
      my ($path, $uuid) = ($disks->{$_}{path} // "", ($status->{$_} || {})->{diskUUID} // "");
      $path =~ s{/+\z}{};
      print join(" ", $_, $path =~ m{^[A-Za-z0-9/._-]+\z} ? $path : "-", $uuid =~ /^[A-Za-z0-9-]+\z/ ? $uuid : "-"), "\n";
    }
  ' <"$WORK/longhorn.own" >"$WORK/longhorn.table"
}
disk_at() { awk -v path="/mnt/longhorn/$1" '$2 == path { print $1, $3; exit }' "$WORK/longhorn.table"; } # disk_at SERIAL: "NAME UUID"
disk_patch() { printf '{"disks":{"%s":%s}}' "$1" "$2"; }
need_longhorn() { find_longhorn "$NAME" || fail "the API of the server $SERVER did not say whether Longhorn knows $NAME" "$SEE_SERVERS, then pulumi up"; }
need_disks() { list_disks || fail "the API of the server $SERVER did not say which disks Longhorn has on $NAME" "$SEE_SERVERS, then pulumi up"; }
keeps_disk() { awk -v name="$1" '$2 != name' "$TAKING" 2>/dev/null >"$WORK/taking" || :; install_file 0600 "$WORK/taking" "$TAKING" || :; }

# withdraw_disks: removes the disks that the config no longer gives to Longhorn: their replicas move to other disks, then Longhorn
# forgets the disks, and the node unmounts them. If there is no room, ends the step before anything is changed.
withdraw_disks() {
  printf '%s\n' "$LONGHORN_DISKS" | awk 'NF { print $1 }' >"$WORK/longhorn.wanted"
  [ -s "$GIVEN" ] || return 0
  for given_serial in $(grep -vxFf "$WORK/longhorn.wanted" "$GIVEN" | grep -xE '[a-z0-9-]{1,20}' || :); do
    need_longhorn
    if [ -n "$LONGHORN" ]; then
      need_disks
      own_disk=$(disk_at "$given_serial")
      if [ -n "$own_disk" ]; then empty_disk "$given_serial" "${own_disk% *}" "${own_disk#* }"; fi
    fi
    guest_feed "$VMID" sh -s -- "$given_serial" <"$WORK/guest-unmount.sh" ||
      fail "the disk $given_serial of $NAME could not be unmounted; the lines above say why" "find what uses it with $(guest_command "$VMID" "fuser -vm /mnt/longhorn/$given_serial") on the Proxmox host, then pulumi up"
    grep -vxF -- "$given_serial" "$GIVEN" >"$WORK/given" || :
    install_file 0600 "$WORK/given" "$GIVEN" || :
    say "Longhorn no longer has the disk $given_serial of $NAME; what is on it stays"
  done
}

# empty_disk SERIAL NAME_OF_THE_DISK UUID
empty_disk() {
  lock_evictions
  plan_eviction "$NAME" "$2" || fail "the API of the server $SERVER did not say which volumes Longhorn has on $NAME" "$SEE_SERVERS, then pulumi up"
  stuck_volumes=$(planned stuck '*')
  if [ -n "$stuck_volumes" ]; then
    give_back "$2"
    fail "Longhorn keeps the disk $1 of $NAME, because it cannot move its replicas of these volumes:
$stuck_volumes" "add a node or a disk that takes replicas, or lower numberOfReplicas of these volumes, then pulumi up; or set longhorn: true for this disk again"
  fi
  mkdir -p "$EVICTING"
  grep -qxF -- "$LONGHORN $2" "$TAKING" 2>/dev/null || echo "$LONGHORN $2" >>"$TAKING"
  patch_longhorn "$NAME" "$(disk_patch "$2" '{"allowScheduling":false,"evictionRequested":true}')" ||
    fail "Longhorn did not accept the eviction of the disk $1 of $NAME" "kubectl -n $LONGHORN describe nodes.longhorn.io $NAME says why; then pulumi up"
  unlock_evictions
  : >"$WORK/given-up"
  awk -F '\t' '{ print $2 }' "$WORK/eviction" >"$WORK/evicted"
  if ! await_eviction "$NAME" "$(eviction_timeout)" '' "$3"; then
    left_volumes=$(unmoved)
    give_back "$2"
    fail "Longhorn did not move the replicas from the disk $1 of $NAME within $(eviction_timeout) s; it takes replicas again. Not moved, or not healthy:
$left_volumes" "kubectl -n $LONGHORN get volumes.longhorn.io,replicas.longhorn.io shows how far they are; give it more time with removal.evictionTimeout, then pulumi up"
  fi
  patch_longhorn "$NAME" "$(disk_patch "$2" null)" ||
    fail "Longhorn did not remove the disk $1 of $NAME; the lines above say why" "kubectl -n $LONGHORN describe nodes.longhorn.io $NAME says what is on it; then pulumi up"
  keeps_disk "$2"
}

# give_back NAME_OF_THE_DISK: the disk takes replicas again, if this step had stopped that.
give_back() {
  grep -q " $1\$" "$TAKING" 2>/dev/null || return 0
  if patch_longhorn "$NAME" "$(disk_patch "$1" '{"allowScheduling":true,"evictionRequested":false}')"; then keeps_disk "$1"; else
    say "Longhorn cannot place replicas on the disk $1 of $NAME yet; the next pulumi up tries again"
  fi
}

# offer_disks: gives the disks of the config to Longhorn.
offer_disks() {
  if [ ! -s "$WORK/longhorn.wanted" ]; then
    if [ -e "$GIVEN" ]; then
      kubectl annotate node "$NAME" "$DISK_CONFIG-" >/dev/null
      rm -f "$GIVEN" "$TAKING"
    fi
    return 0
  fi
  config=$(awk '{ printf "%s{\"name\":\"%s\",\"path\":\"/mnt/longhorn/%s\",\"allowScheduling\":true}", (NR > 1 ? "," : ""), $1, $1 }' "$WORK/longhorn.wanted")
  kubectl annotate node "$NAME" --overwrite "$DISK_CONFIG=[$config]" >/dev/null
  install_file 0600 "$WORK/longhorn.wanted" "$GIVEN" || :
  need_longhorn
  [ -n "$LONGHORN" ] || return 0
  need_disks
  # Longhorn reads the annotation while its Node has no disk.
  [ -s "$WORK/longhorn.table" ] || return 0
  while read -r given_serial; do
    own_disk=$(disk_at "$given_serial")
    if [ -n "$own_disk" ]; then
      give_back "${own_disk% *}" </dev/null
    elif grep -q "^$given_serial " "$WORK/longhorn.table"; then
      fail "Longhorn has another disk with the name $given_serial on $NAME, so it did not get /mnt/longhorn/$given_serial" "kubectl -n $LONGHORN get nodes.longhorn.io $NAME -o yaml shows it; rename that disk in Longhorn, then pulumi up"
    else
      say "giving the disk $given_serial of $NAME to Longhorn"
      patch_longhorn "$NAME" "$(disk_patch "$given_serial" "{\"path\":\"/mnt/longhorn/$given_serial\",\"diskType\":\"filesystem\",\"allowScheduling\":true,\"evictionRequested\":false}")" </dev/null ||
        fail "Longhorn did not accept the disk $given_serial of $NAME; the lines above say why" "kubectl -n $LONGHORN describe nodes.longhorn.io $NAME says more; then pulumi up"
    fi
  done <"$WORK/longhorn.wanted"
}
