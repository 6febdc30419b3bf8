# The part of a node's removal that concerns Longhorn. Uses variables and functions of host/leave.sh. Replicas leave before the pods,
# because the drain does not end while the last replica of a volume is on the node. Needs lib/longhorn.

# stays CAUSE NEXT: ends the step, and undoes what this removal, or an interrupted one, has changed on the node.
stays() {
  if [ -e "$LEAVING/$NAME" ]; then takes_pods_again || :; fi
  fail "$1" "$2"
}
ROOM="add a node or a disk that takes replicas, or lower numberOfReplicas of these volumes, then pulumi up"
FEWER="or, to go on with fewer copies until there is room, set removal.onBlocked: force, then pulumi up"
LOSE="or, to destroy this data with the node, set removal.onLocalData: delete, then pulumi up"

# need_copies WHAT [KIND]: ends the step if only this node has the data of planned volumes (of this KIND, or all), because that data is
# destroyed with its machine. removal.onLocalData: delete allows it. If the machine is gone already, there is nothing to save.
need_copies() {
  lost_volumes=$(planned "${2:-*}" alone)
  if [ -z "$lost_volumes" ] || [ "$HAS_MACHINE" = no ]; then return 0; fi
  if [ "$ON_LOCAL_DATA" != delete ]; then
    stays "$NAME keeps its machine, because $1 and no other node has all of these volumes of Longhorn:
$lost_volumes" "bring it back, or restore these volumes from a backup and delete them, then pulumi up; $LOSE"
  fi
  say "removal.onLocalData is delete, so these volumes of Longhorn are destroyed with $NAME:"
  say "$lost_volumes"
}

# can_copy: the node and its Longhorn can copy replicas away. The removal does not wait for replicas of a dead node.
can_copy() {
  can_end_pods || return 1
  copies=0
  is_longhorn_ready "$NAME" || copies=$?
  [ "$copies" -ne 2 ] || stays "no server said within $API_WAIT s whether Longhorn on $NAME is Ready; it was not drained" "$SEE_SERVERS, then pulumi up"
  return "$copies"
}

move_replicas() {
  find_longhorn "$NAME" || fail "the API of the server $SERVER did not say whether Longhorn knows $NAME; it was not drained" "$SEE_SERVERS, then pulumi up"
  [ -n "$LONGHORN" ] || return 0
  lock_evictions
  plan_eviction "$NAME" || fail "the API of the server $SERVER did not say which volumes Longhorn has on $NAME; it was not drained" "$SEE_SERVERS, then pulumi up"
  : >"$WORK/given-up"
  moves=no forgets=yes
  if ! can_copy; then
    need_copies "it or its Longhorn does not answer"
    say "$NAME or its Longhorn does not answer, so this removal does not wait for its replicas: Longhorn rebuilds them on other nodes"
  else
    moves=yes
    may_move
  fi
  begin_to_leave
  if ! request_eviction "$NAME"; then
    # While Longhorn is down, its webhook refuses every change. A node without replicas to move may leave all the same.
    if [ "$moves" = yes ] && [ -s "$WORK/eviction" ]; then
      stays "Longhorn did not accept the eviction of $NAME; it was not drained" "kubectl -n $LONGHORN describe nodes.longhorn.io $NAME says why; then pulumi up"
    fi
    moves=no forgets=no
    say "Longhorn did not accept the eviction of $NAME, which has no replica that it could move: going on without it"
  fi
  unlock_evictions
  if [ "$moves" = yes ]; then await_replicas; fi
}

# may_move: ends the step before anything is changed if a replica cannot move. With removal.onBlocked: force, it gives up such replicas
# if another node has all their data.
may_move() {
  stuck_volumes=$(planned stuck '*')
  [ -n "$stuck_volumes" ] || return 0
  awk -F '\t' '$1 == "stuck" { print $2 }' "$WORK/eviction" >"$WORK/given-up"
  if [ "$ON_BLOCKED" != force ]; then
    stays "$NAME was not drained, because Longhorn cannot move its replicas of these volumes:
$stuck_volumes" "$ROOM; $FEWER"
  fi
  need_copies "Longhorn cannot move its replicas" stuck
  say "removal.onBlocked is force, so these volumes of Longhorn have fewer copies without $NAME:"
  say "$stuck_volumes"
}

await_replicas() {
  awaited=0
  eviction_bound=$(eviction_timeout)
  sed 1d "$EVICTING/$NAME" >"$WORK/evicted"
  await_eviction "$NAME" "$eviction_bound" running || awaited=$?
  case $awaited in
    0) say "no replica of Longhorn is on $NAME any more" ;;
    2)
      plan_eviction "$NAME" || fail "$NAME stopped while Longhorn moved its replicas, and the API of the server $SERVER did not say which are left" "$SEE_SERVERS, then pulumi up"
      need_copies "it stopped while Longhorn moved its replicas"
      say "$NAME stopped while Longhorn moved its replicas: Longhorn rebuilds them on other nodes"
      ;;
    *)
      left_volumes=$(unmoved)
      if [ "$ON_BLOCKED" != force ]; then
        stays "Longhorn did not move the replicas of $NAME within $eviction_bound s; it takes replicas again and keeps its machine. Not moved, or not healthy:
$left_volumes" "kubectl -n $LONGHORN get volumes.longhorn.io,replicas.longhorn.io shows how far they are; give it more time with removal.evictionTimeout, then pulumi up; $FEWER"
      fi
      plan_eviction "$NAME" || fail "the API of the server $SERVER did not say which volumes Longhorn has on $NAME" "$SEE_SERVERS, then pulumi up"
      need_copies "Longhorn did not move its replicas within $eviction_bound s"
      say "blocked: going on without the rest of Longhorn's replicas, as removal.onBlocked says:"
      say "$left_volumes"
      ;;
  esac
}

# await_detached: waits until Kubernetes has detached the volumes of the ended pods. If the Node were deleted before, they would stay
# attached to a Node that does not exist.
await_detached() {
  if [ -z "$LONGHORN" ] || ! can_end_pods; then return 0; fi
  detached_since=$(now)
  while ! attached=$(attached_to "$NAME") || [ -n "$attached" ]; do
    if [ $(($(now) - detached_since)) -ge 120 ]; then
      [ "$ON_BLOCKED" != force ] || return 0
      stays "these volumes are still attached to $NAME 2 min after its drain; it takes pods again and keeps its machine:
$attached" "end the pods of DaemonSets on $NAME that use them, then pulumi up; or set removal.onBlocked: force"
    fi
    sleep 2
  done
}

# forget_eviction: waits until Longhorn has deleted its own Node. It does so after Kubernetes' Node is deleted, but only if its own Node
# takes no replicas. If Longhorn keeps it, a later node with this name would take no replicas, so the note stays for that node (host/ready.sh).
forget_eviction() {
  [ -s "$EVICTING/$NAME" ] || return 0
  read -r LONGHORN _ <"$EVICTING/$NAME"
  forgotten_since=$(now)
  while ! still_listed=$(kubectl -n "$LONGHORN" get nodes.longhorn.io "$NAME" --ignore-not-found -o name) || [ -n "$still_listed" ]; do
    if [ "${forgets:-yes}" = no ]; then
      say "Longhorn still lists $NAME; if it does not come back, and once Longhorn runs: kubectl -n $LONGHORN patch nodes.longhorn.io $NAME --type=merge -p '{\"spec\":{\"allowScheduling\":false}}', then kubectl -n $LONGHORN delete nodes.longhorn.io $NAME"
      return 0
    elif [ $(($(now) - forgotten_since)) -ge 60 ]; then
      say "Longhorn still lists $NAME; if it does not come back: kubectl -n $LONGHORN delete nodes.longhorn.io $NAME"
      return 0
    fi
    sleep 2
  done
  rm -f "$EVICTING/$NAME"
}
