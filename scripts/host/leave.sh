# leave (Proxmox host; kept there by the roster): takes a node out of the cluster: move Longhorn's replicas, drain, stop K3s,
# forget. Idempotent: it may run twice, with the node or its machine gone, or after a drain that was cut off.
# Arguments: VMID, NAME, ROLE server|agent. Inputs: CLUSTER_ID, MARK.

DRAIN_TIMEOUT=$(number "$(policy DRAIN_TIMEOUT)")
ON_BLOCKED=$(policy ON_BLOCKED)
ON_LOCAL_DATA=$(policy ON_LOCAL_DATA)

if [ "$ROLE" = server ] && [ -z "$(other_guests "$NAME")" ]; then
  [ "$(policy ALLOW_CONTROL_PLANE_LOSS)" = yes ] || fail "$NAME is the only server: without it the cluster and all its objects are lost" \
    "take the change back; or, to lose them, set removal.allowControlPlaneLoss: true, then pulumi up"
  outcome "$NAME was the only server; there is no cluster left to leave"
  exit 0
fi

# A guest of somebody else with this VMID counts as no machine. Without a machine nothing is left to check or to lose.
if conf=$(guest_conf) && is_ours "$conf"; then HAS_MACHINE=yes; else HAS_MACHINE=no; fi
# What would stop the machine's removal is checked before the node is disturbed.
if [ "$HAS_MACHINE" = yes ]; then
  refuse_kept "$conf" "$NAME was not drained"
  await_unlocked "$conf"
fi

running() { trusts "$VMID" "$NAME" && guest_runs "$VMID"; }
# can_end_pods: a kubelet does what the API asks of it. A machine that runs is not yet the node: it may have been made anew, or its
# K3s may be dead. Ends the step where no server says which it is: a drain that is left out loses pods.
can_end_pods() {
  running || return 1
  kubelet=0
  is_ready "$NAME" || kubelet=$?
  [ "$kubelet" -ne 2 ] || stays "no server said within $API_WAIT s whether $NAME is Ready; it keeps its machine" "$SEE_SERVERS, then pulumi up"
  return "$kubelet"
}

# A node that the plan keeps is rebuilt, and is away until it is Ready again (host/ready.sh). Rebuilds for a change of the config
# wait for each other (plan/disturbanceOrder.ts). The program does not see `pulumi up --replace`, and a step that waited here
# would keep the engine from what it waits for. So more rebuilds than `rollout.concurrency` are refused.
# Each shows at its beginning that it is one, and counts the others as the last thing before it disturbs its node. So never more
# go on than may: the last of them to count has seen all. Those of one run begin within moments and see each other, so that the
# run, which ends with its first refusal, has disturbed none. Nobody knows how many will come, so what was shown must be some
# seconds old; the checks of a real host take about as long. Of four whole seconds at least three have passed.
SHOWN_FOR=4
comes_back() { sed 1d "$CLUSTER_DIR/run" 2>/dev/null | grep -qxF -- "$1"; }

show_rebuild() {
  mkdir -p "$REBUILDING"
  exec 8>"$REBUILDING/$NAME"
  flock -w 5 8 || :
  SHOWN_SINCE=$(now)
}

# others_away: the other nodes that are rebuilt: each holds its file while it leaves, and is not Ready after that. One that was
# refused since this one has shown itself counts too, because it has seen this one.
others_away() (
  for file in "$REBUILDING"/*; do
    other=${file##*/}
    if [ "$other" = "$NAME" ] || ! comes_back "$other"; then continue; fi
    newer=$(find "$file" -newer "$REBUILDING/$NAME" 2>/dev/null || :)
    if [ -n "$newer" ] || ! flock -s -n "$file" true || ! is_ready "$other"; then printf ' %s' "$other"; fi
  done
)

need_turn() {
  while [ $(($(now) - SHOWN_SINCE)) -lt "$SHOWN_FOR" ]; do sleep 0.5; done
  concurrency=$(number "$(sed -n 1p "$CLUSTER_DIR/run")")
  away=$(others_away)
  if [ "$(echo "$away" | wc -w)" -lt "$concurrency" ]; then return 0; fi
  touch "$REBUILDING/$NAME"
  fail "$NAME was not drained: it is to be rebuilt, and so is$away; rollout.concurrency allows $concurrency at a time" \
    "rebuild $concurrency at a time: pulumi up --replace '**Legacy::$NAME'; when it is Ready, the next"
}

# Whether its removal disturbs a node of the plan: one whose machine or K3s is dead is away already.
unit=k3s-agent
[ "$ROLE" = agent ] || unit=k3s
IS_REBUILT=no
if comes_back "$NAME" && running && guest_exec "$VMID" systemctl is-active -q "$unit"; then IS_REBUILT=yes; fi
if [ "$IS_REBUILT" = yes ]; then show_rebuild; fi

await_server "$API_WAIT" "$NAME" || fail "no server of the cluster answered within $API_WAIT s; $NAME keeps its machine" \
  "$START_SERVERS, then pulumi up; to give the whole cluster up: pulumi destroy, which needs no server"

# blockers: the pods that are still there, and the disruption budgets that say no.
blockers() {
  say "pods left on $NAME:"
  kubectl get pods -A --field-selector "spec.nodeName=$NAME" -o wide || :
  say "disruption budgets that allow no eviction:"
  kubectl get pdb -A -o 'jsonpath={range .items[?(@.status.disruptionsAllowed==0)]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}' || :
}

takes_pods_again() {
  undo_eviction "$NAME" || say "Longhorn did not take its eviction back; the next pulumi up does"
  if kubectl uncordon "$NAME"; then rm -f "$LEAVING/$NAME"; fi
}

begin_to_leave() {
  mkdir -p "$LEAVING"
  : >"$LEAVING/$NAME"
}

# kubectl waits for the pods of a guest that has ended until its timeout, so the guest is asked meanwhile. What is left
# running of kubectl then ends with the Node.
drain() {
  say "draining $NAME (at most $DRAIN_TIMEOUT s)"
  rm -f "$WORK/drained"
  {
    KUBECTL_BOUND=$((DRAIN_TIMEOUT + 60))
    drained=0
    kubectl drain "$NAME" --ignore-daemonsets --delete-emptydir-data --force --timeout="${DRAIN_TIMEOUT}s" "$@" || drained=$?
    echo "$drained" >"$WORK/drained"
  } &
  asked=$(now)
  until [ -s "$WORK/drained" ]; do
    sleep 0.2
    if [ $(($(now) - asked)) -ge 5 ]; then
      running || return 1
      asked=$(now)
    fi
  done
  return "$(cat "$WORK/drained")"
}

# So is data that would be lost with the machine.
if [ "$HAS_MACHINE" = yes ]; then
  { list_local_data "$NAME" && own_disks "$(guest_conf)"; } >"$WORK/data" ||
    fail "the API of the server $SERVER did not say which volumes $NAME alone has" "$SEE_SERVERS, then pulumi up"
  if [ -s "$WORK/data" ] && [ "$ON_LOCAL_DATA" != delete ]; then
    fail "$NAME was not drained, because this data is on no other node and would be destroyed with its machine:
$(cat "$WORK/data")" \
      "copy what you need, delete these claims and disks, then pulumi up; or, to destroy the data with the node, set removal.onLocalData: delete, then pulumi up"
  elif [ -s "$WORK/data" ]; then
    say "removal.onLocalData is delete, so this data is destroyed with $NAME; delete the claims, so that their pods can start elsewhere:"
    cat "$WORK/data"
  fi
fi

if [ "$IS_REBUILT" = yes ]; then need_turn; fi

if [ "$ROLE" = server ]; then adopt_member "$VMID" "$NAME"; fi
if [ "$ROLE" = server ] && is_member "$NAME"; then
  await_others "$NAME" majority_without ||
    fail "without $NAME etcd would have no majority: $WELL of the $OTHERS other servers answer, not$SILENT; $NAME keeps its machine" \
      "$START_SERVERS, then pulumi up"
fi

if node_exists "$NAME"; then
  move_replicas
  begin_to_leave
  if ! can_end_pods; then
    # Nothing there can end a pod in order. The deletion of the Node lets the cluster start them elsewhere.
    say "$NAME does not run or is not Ready: nothing to drain"
    kubectl cordon "$NAME"
  elif ! drain; then
    if ! running; then
      say "$NAME ended while it was drained: the pods that it still had start elsewhere"
    elif [ "$ON_BLOCKED" = force ]; then
      say "blocked: going on without the disruption budgets, as removal.onBlocked says"
      drain --disable-eviction || fail "$NAME could not be drained even without disruption budgets" "kubectl get pods -A --field-selector spec.nodeName=$NAME"
    else
      blockers
      takes_pods_again
      fail "the drain of $NAME did not finish within $DRAIN_TIMEOUT s; it takes pods again and keeps its machine" \
        "make room for the pods above or relax their budget, then pulumi up; or set removal.onBlocked: force"
    fi
  fi
  await_detached
fi

# A server ends when its member has gone from etcd; started again, it would join anew.
unit_override() { guest_exec "$VMID" sh -c "$1 && systemctl daemon-reload"; }
OVERRIDE=/run/systemd/system/k3s.service.d
if [ "$ROLE" = server ] && is_member "$NAME"; then
  say "taking $NAME out of etcd"
  if running; then unit_override "mkdir -p $OVERRIDE && printf '[Service]\nRestart=no\n' >$OVERRIDE/leaving.conf" || :; fi
  if ! remove_member "$NAME"; then
    if running; then unit_override "rm -rf $OVERRIDE" || :; fi
    takes_pods_again
    fail "etcd did not let $NAME go within 2 min; it takes pods again and keeps its machine" \
      "$(guest_command "$SERVER" "journalctl -u k3s") on the Proxmox host says why; then pulumi up"
  fi
fi

if running; then
  say "stopping K3s on $NAME, so that it cannot register again"
  # NixOS disables no unit, and says so: its units come from its configuration.
  guest_exec "$VMID" systemctl disable --now "$unit" 2>/dev/null || guest_exec "$VMID" systemctl stop "$unit" || say "K3s on $NAME was not stopped: it did not end in time, or it is not installed there"
fi

say "deleting the node $NAME and its password"
# A Node goes when the one server that K3s has elected for it lets it; where that one has gone, the next is elected after 45 s.
KUBECTL_BOUND=250
kubectl delete node "$NAME" --ignore-not-found --timeout=240s
kubectl -n kube-system delete secret "$NAME.node-password.k3s" --ignore-not-found --timeout=60s
! node_exists "$NAME" || fail "the node $NAME came back after its deletion" "$(command_of "$VMID") stop $VMID on the Proxmox host, then pulumi up"
if [ "$ROLE" = server ]; then
  former_servers | grep -vxF "$VMID $NAME" >"$WORK/former" || :
  install_file 0600 "$WORK/former" "$CLUSTER_DIR/former" || :
fi
forget_eviction
shut_out "$VMID" "$NAME"
rm -f "$LEAVING/$NAME" "$NOTES/$NAME.labels" "$NOTES/$NAME.taints" "$NOTES/$NAME.longhorn" "$EVICTING/$NAME.disks"
outcome "$NAME left the cluster"
