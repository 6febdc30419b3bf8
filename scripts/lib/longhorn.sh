# Access to Longhorn from the Proxmox host, through a server that answers ($SERVER). Longhorn creates and deletes its own objects. The
# program only sets whether a node takes replicas, and restores that.
# Sources: Longhorn 1.12: its CRDs; longhorn-manager, scheduler/replica_scheduler.go and webhook/resources/node/validator.go.

# A note for each node: its settings before the program asked Longhorn to move its replicas, "NAMESPACE ALLOW_SCHEDULING
# EVICTION_REQUESTED", then the volumes that had a replica there, one per line. An interrupted removal leaves the note, so that the
# next run can restore the settings.
EVICTING=$CLUSTER_DIR/evicting

# find_longhorn NAME: sets LONGHORN to the namespace of Longhorn's own Node of this name; empty if there is none, or no Longhorn.
# Answers 1 if the API did not answer.
find_longhorn() {
  LONGHORN=
  longhorn_crd=$(kubectl get crd nodes.longhorn.io --ignore-not-found -o name) || return 1
  [ -n "$longhorn_crd" ] || return 0
  kubectl get nodes.longhorn.io -A --field-selector "metadata.name=$1" -o 'jsonpath={range .items[*]}{.metadata.namespace}{"\n"}{end}' >"$WORK/longhorn.namespaces" || return 1
  LONGHORN=$(grep -xE '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?' "$WORK/longhorn.namespaces" | head -n 1 || :)
}

ask_longhorn() { kubectl -n "$LONGHORN" get "$1.longhorn.io" -o "jsonpath={range .items[$2]}$3{\"\\n\"}{end}"; }

# is_longhorn_ready NAME: its Longhorn can copy replicas away. Answers 1 if it cannot, or is not there; 2 if no server gave an answer.
is_longhorn_ready() {
  ask_api -n "$LONGHORN" get nodes.longhorn.io "$1" --ignore-not-found -o "$READY" || return 2
  [ "$ANSWER" = True ]
}

# lock_evictions: nodes and disks that are removed at the same time must not count on the same room. Call unlock_evictions after the
# request.
lock_evictions() {
  exec 7>"$CLUSTER_DIR/evicting.lock"
  flock -w 120 7 || :
}
unlock_evictions() { exec 7>&-; }

# plan_eviction NAME [DISK…]: checks whether each replica on the node, or on these disks of it, has a place elsewhere. Writes one volume
# per line to $WORK/eviction, separated by tabs: move|stuck, its name, copied (another node has all its data) or alone, and a text for
# people. Longhorn itself chooses the place of each replica. This only finds a possible place, by Longhorn's rules, the largest volume
# first. Answers 1 if the API did not answer.
plan_eviction() {
  ask_longhorn settings '*' '{.metadata.name}{"\t"}{.value}' >"$WORK/longhorn.settings" &&
    ask_longhorn nodes '*' '{.metadata.name}{"\t"}{.status.zone}{"\t"}{.spec}{"\t"}{.status.conditions}{"\t"}{.status.diskStatus}' >"$WORK/longhorn.nodes" &&
    ask_longhorn volumes '*' '{.metadata.name}{"\t"}{.spec}{"\t"}{.status}' >"$WORK/longhorn.volumes" &&
    ask_longhorn replicas '*' '{.metadata.name}{"\t"}{.spec}' >"$WORK/longhorn.replicas" || return 1
  perl -MJSON::PP -e '
    my ($work, $leaving, @disks) = @ARGV;
    # A line without the name of an object does not come from the API.
    sub table {
      open my $file, "<", "$work/longhorn.$_[0]" or die "$!\n";
      return map { chomp; my ($name, @rest) = split /\t/, $_, -1; $name =~ /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\z/ ? ($name => \@rest) : () } <$file>;
    }
    sub decoded { defined $_[0] && $_[0] ne "" ? JSON::PP->new->decode($_[0]) : {} }
    sub number { ($_[0] // "") =~ /^[0-9]{1,18}\z/ ? $_[0] + 0 : 0 }
    sub is { my ($conditions, $type) = @_; ref $conditions eq "ARRAY" && grep { $_->{type} eq $type && $_->{status} eq "True" } @$conditions }
    sub has_tags { my ($tags, $wanted) = @_; my %has = map { $_ => 1 } @{$tags || []}; !grep { !$has{$_} } @{$wanted || []} }
    sub size { my $GiB = $_[0] / 2 ** 30; sprintf $GiB == int $GiB ? "%dGi" : "%.1fGi", $GiB }

    my %settings = table("settings");
    # A setting may have one value for each of the two data engines.
    sub setting { my ($name, $otherwise) = @_; my $is = $settings{$name}[0] // ""; $is = $1 if $is =~ /"v1": *"?(\w+)/; $is =~ /^\w{1,9}\z/ ? $is : $otherwise }
    my ($most, $least) = (setting("storage-over-provisioning-percentage", 100), setting("storage-minimal-available-percentage", 25));
    # allows SETTING OTHERWISE OWN: if the volume has its own value, enabled or disabled, that counts.
    sub allows { my ($name, $otherwise, $own) = @_; $own =~ /^(?:en|dis)abled\z/ ? $own eq "enabled" : setting($name, $otherwise) eq "true" }

    my %nodes = table("nodes");
    my (%goes, %ready, @places);
    # Other nodes may be moving their replicas away at the same time.
    for my $name (sort keys %nodes) {
      my ($zone, $spec, $conditions, $disks) = @{$nodes{$name}};
      ($spec, $conditions, $disks) = map { decoded($_) } $spec, $conditions, $disks;
      $ready{$name} = is($conditions, "Ready");
      my %here = $name eq $leaving ? map { $_ => 1 } @disks : ();
      my $all = $spec->{evictionRequested} || ($name eq $leaving && !@disks);
      for my $disk (sort keys %{$spec->{disks} || {}}) {
        my ($its, $has) = ($spec->{disks}{$disk}, $disks->{$disk} || {});
        if ($all || $here{$disk} || $its->{evictionRequested}) {
          $goes{$name}{$has->{diskUUID} // ""} = 1;
          next;
        }
        next unless $spec->{allowScheduling} && $ready{$name} && is($conditions, "Schedulable") && $its->{allowScheduling} && is($has->{conditions}, "Schedulable");
        my $maximum = number($has->{storageMaximum});
        push @places, {
          node => $name, zone => $zone, node_tags => $spec->{tags}, tags => $its->{tags}, type => $its->{diskType} || "filesystem",
          room => ($maximum - number($its->{storageReserved})) * $most / 100 - number($has->{storageScheduled}),
          space => number($has->{storageAvailable}) - $maximum * $least / 100,
        };
      }
      $goes{$name}{"*"} = 1 if $all;
    }
    sub going { my ($replica) = @_; my $of = $goes{$replica->{nodeID} // ""} || {}; $of->{"*"} || $of->{$replica->{diskID} // ""} }
    sub leaves { my ($replica) = @_; ($replica->{nodeID} // "") eq $leaving && going($replica) }

    my (%replicas, %volumes);
    my %listed = table("replicas");
    for (values %listed) { my $spec = decoded($_->[0]); push @{$replicas{$spec->{volumeName} // ""}}, $spec if ($spec->{nodeID} // "") ne "" }
    my %listed_volumes = table("volumes");
    $volumes{$_} = {spec => decoded($listed_volumes{$_}[0]), status => decoded($listed_volumes{$_}[1])} for keys %listed_volumes;
    for my $name (sort { number($volumes{$b}{spec}{size}) <=> number($volumes{$a}{spec}{size}) || $a cmp $b } keys %volumes) {
      my ($spec, $status) = @{$volumes{$name}}{"spec", "status"};
      my @all = @{$replicas{$name} || []};
      next unless grep { going($_) } @all;
      my @here = grep { leaves($_) } @all;
      my @works = grep { ($_->{failedAt} // "") eq "" } @all;
      my @stay = grep { !going($_) } @works;
      my $need = grep { going($_) } @works;
      my $missing = number($spec->{numberOfReplicas}) - @stay;
      $need = $missing if $missing < $need;
      my $had_data = grep { ($_->{healthyAt} // "") ne "" } @here;
      my $elsewhere = grep { ($_->{healthyAt} // "") ne "" && $ready{$_->{nodeID}} && !leaves($_) } @works;

      my ($size, $why) = (number($spec->{size}), "");
      my %used = map { $_->{nodeID} => 1 } @stay;
      my %zones = map { ($nodes{$_->{nodeID}} || [""])->[0] => 1 } @stay;
      my $same_node = allows("replica-soft-anti-affinity", "false", $spec->{replicaSoftAntiAffinity} // "");
      my $same_zone = allows("replica-zone-soft-anti-affinity", "true", $spec->{replicaZoneSoftAntiAffinity} // "");
      my $type = ($spec->{dataEngine} // "") eq "v2" ? "block" : "filesystem";
      if (($spec->{dataLocality} // "") eq "strict-local" && grep { leaves($_) } @works) {
        $why = "its data is strict-local, so Longhorn does not move it";
      } elsif (($status->{robustness} // "") eq "faulted") {
        $why = "it is faulted, so Longhorn has nothing to copy";
      }
      while ($why eq "" && $need-- > 0) {
        my @free = grep { $_->{type} eq $type && ($same_node || !$used{$_->{node}}) && ($same_zone || !$zones{$_->{zone}}) } @places;
        my @fit = grep { has_tags($_->{node_tags}, $spec->{nodeSelector}) && has_tags($_->{tags}, $spec->{diskSelector}) } @free;
        my ($place) = sort { $b->{room} <=> $a->{room} } grep { $_->{room} >= $size && $_->{space} > number($status->{actualSize}) } @fit;
        if (!@free) { $why = sprintf "it has %d replicas, each on a node of its own, and no other node takes one more", number($spec->{numberOfReplicas}) }
        elsif (!@fit) { $why = "no other node has the tags that it asks for" }
        elsif (!$place) { $why = "no other node has room for it" }
        else {
          $place->{room} -= $size;
          $place->{space} -= number($status->{actualSize});
          $used{$place->{node}} = $zones{$place->{zone}} = 1;
        }
      }
      next unless @here;
      my $claim = join "/", grep { /^[a-z0-9.-]{1,253}\z/ } map { $_ // "" } @{$status->{kubernetesStatus} || {}}{"namespace", "pvcName"};
      my $words = join ", ", size($size), $claim =~ m{/} ? "claim $claim" : ();
      print join("\t", $why eq "" ? "move" : "stuck", $name, $had_data && !$elsewhere ? "alone" : "copied", "  - volume $name ($words)" . ($why eq "" ? "" : ": $why")), "\n";
    }
  ' "$WORK" "$@" >"$WORK/eviction"
}
# planned KIND COPY: the texts of the volumes in the plan with this KIND and this COPY; `*` means any.
planned() { awk -F '\t' -v kind="$1" -v copy="$2" '(kind == "*" || kind == $1) && (copy == "*" || copy == $3) { print $4 }' "$WORK/eviction"; }

# patch_longhorn NAME SPEC: changes Longhorn's Node. Tries again, because Longhorn refuses changes while it checks the node's disks.
patch_longhorn() {
  patch_tries=0
  until kubectl -n "$LONGHORN" patch nodes.longhorn.io "$1" --type=merge -p "{\"spec\":$2}" >/dev/null; do
    patch_tries=$((patch_tries + 1))
    [ "$patch_tries" -lt 10 ] || return 1
    sleep 2
  done
}

# request_eviction NAME: ends scheduling and asks for the eviction in one change, because Longhorn refuses the one without the other.
# Writes the note first. If there is a note already, it has the former settings.
request_eviction() {
  mkdir -p "$EVICTING"
  if [ ! -s "$EVICTING/$1" ]; then
    kubectl -n "$LONGHORN" get nodes.longhorn.io "$1" -o 'jsonpath={.spec.allowScheduling} {.spec.evictionRequested}' >"$WORK/scheduling" || return 1
    case $(cat "$WORK/scheduling") in
      'true '*) was="true false" ;;
      *' true') was="false true" ;;
      *) was="false false" ;;
    esac
    { echo "$LONGHORN $was"; awk -F '\t' '{ print $2 }' "$WORK/eviction"; } >"$WORK/evicting"
    install_file 0600 "$WORK/evicting" "$EVICTING/$1" || :
  fi
  patch_longhorn "$1" '{"allowScheduling":false,"evictionRequested":true}'
}

# undo_eviction NAME: the node takes replicas again, if it did before. Answers 1 if Longhorn did not accept that; then the note stays.
undo_eviction() {
  [ -s "$EVICTING/$1" ] || return 0
  read -r LONGHORN was_scheduling was_evicting <"$EVICTING/$1"
  case "$LONGHORN $was_scheduling $was_evicting" in
    *[!a-z0-9\ -]*) ;;
    *' true false' | *' false true' | *' false false')
      still_known=$(kubectl -n "$LONGHORN" get nodes.longhorn.io "$1" --ignore-not-found -o name) || return 1
      [ -z "$still_known" ] || patch_longhorn "$1" "{\"evictionRequested\":$was_evicting,\"allowScheduling\":$was_scheduling}" || return 1
      ;;
  esac
  rm -f "$EVICTING/$1"
}

# look_at_eviction NAME [UUID]: sets LEFT (volumes with a working replica that is still on the node, or on this disk of it) and UNWELL
# (volumes of $WORK/evicted that are not healthy), one name per line; without those in $WORK/given-up. A detached volume has no
# robustness. Longhorn does not copy a failed replica, but rebuilds it elsewhere.
look_at_eviction() {
  ask_longhorn replicas "?(@.spec.nodeID==\"$1\")" '{.spec.volumeName}{"\t"}{.spec.failedAt}{"\t"}{.spec.diskID}' >"$WORK/longhorn.left" &&
    ask_longhorn volumes '*' '{.metadata.name}{"\t"}{.status.state}{"\t"}{.status.robustness}' >"$WORK/longhorn.health" || return 1
  LEFT=$(awk -F '\t' -v disk="${2:-}" '$1 ~ /^[a-z0-9.-]+$/ && $2 == "" && (disk == "" || $3 == disk) { print $1 }' "$WORK/longhorn.left" | grep -vxFf "$WORK/given-up" || :)
  grep -vxFf "$WORK/given-up" "$WORK/evicted" >"$WORK/awaited" || :
  UNWELL=$(awk -F '\t' 'from == "note" { evicted[$1] = 1; next } evicted[$1] && $3 != "healthy" && $2 != "detached" { print $1 }' \
    from=note "$WORK/awaited" from=look "$WORK/longhorn.health")
}

# eviction_timeout: in seconds. The roster of an older release has none.
eviction_timeout() {
  eviction_seconds=$(number "$(policy EVICTION_TIMEOUT)")
  if [ "$eviction_seconds" -gt 0 ]; then echo "$eviction_seconds"; else echo 3600; fi
}

count_of() { printf '%s\n' "$1" | grep -c . || :; }
# unmoved: the volumes of the last look, for people, one per line.
unmoved() { printf '%s\n%s\n' "$LEFT" "$UNWELL" | sort -u | sed -n 's/^\(.\)/  - volume \1/p'; }

# await_eviction NAME SECONDS [ALIVE] [UUID]: waits until no replica is left and the volumes are healthy. Answers 1 if that
# takes longer, 2 as soon as ALIVE fails.
await_eviction() {
  asked_eviction=$(now) said_left='' said_at=0
  while :; do
    if look_at_eviction "$1" "${4:-}"; then
      if [ -z "$LEFT$UNWELL" ]; then return 0; fi
      seen_left="$(count_of "$LEFT") left, volumes that are not healthy: $(count_of "$UNWELL")"
      if [ "$seen_left" != "$said_left" ] || [ $(($(now) - said_at)) -ge 300 ]; then
        said_left=$seen_left said_at=$(now)
        say "Longhorn moves the replicas of $1: $said_left"
      fi
    fi
    "${3:-true}" || return 2
    [ $(($(now) - asked_eviction)) -lt "$2" ] || return 1
    sleep 5
  done
}

# attached_to NAME: the volumes that are still attached to the node, for people, one per line.
attached_to() {
  kubectl get volumeattachments -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\t"}{.spec.source.persistentVolumeName}{"\n"}{end}' >"$WORK/attached" || return 1
  awk -F '\t' -v node="$1" '$1 == node && $2 ~ /^[a-z0-9.-]+$/ { print "  - volume " $2 }' "$WORK/attached"
}
