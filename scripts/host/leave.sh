# leave (Proxmox host; kept there by the roster): removes a node from the cluster: moves Longhorn's replicas, drains the node, stops
# K3s, deletes the Node. Idempotent: it may run twice, without the node or its machine, or after an interrupted drain.
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
# Check what would stop the machine's removal before the node is disturbed.
if [ "$HAS_MACHINE" = yes ]; then
  refuse_kept "$conf" "$NAME was not drained"
  await_unlocked "$conf"
fi

running() { trusts "$VMID" "$NAME" && guest_runs "$VMID"; }
# can_end_pods: the node has a kubelet that does what the API asks. A running machine is not enough: it may be a rebuilt one, or its K3s
# may be dead. Ends the step if no server gives an answer, because without a drain pods would be lost.
can_end_pods() {
  running || return 1
  kubelet=0
  is_ready "$NAME" || kubelet=$?
  [ "$kubelet" -ne 2 ] || stays "no server said within $API_WAIT s whether $NAME is Ready; it keeps its machine" "$SEE_SERVERS, then pulumi up"
  return "$kubelet"
}

# If the plan keeps the node, this is a rebuild: the node is away until it is Ready again (host/ready.sh). Rebuilds for a change of the
# config wait for each other (plan/disturbanceOrder.ts). But the program does not see `pulumi up --replace`, and a step that waits
# here would block the steps that it waits for. So if there are more rebuilds than `rollout.concurrency`, they are refused.
# Each rebuild first announces itself with a file, and counts the others right before it disturbs its node. So there are never too
# many: the last one to count sees all. The rebuilds of one run begin almost at the same time and see each other. So the run, which
# ends with the first refusal, has disturbed no node. More rebuilds may still begin, so each waits until its own announcement is some
# seconds old, about as long as the checks take on a real host. If the clock shows four seconds, at least three have passed.
SHOWN_FOR=4
comes_back() { sed 1d "$CLUSTER_DIR/run" 2>/dev/null | grep -qxF -- "$1"; }

show_rebuild() {
  mkdir -p "$REBUILDING"
  exec 8>"$REBUILDING/$NAME"
  flock -w 5 8 || :
  SHOWN_SINCE=$(now)
}

# others_away: the other nodes that are being rebuilt. Each holds a lock on its file while it leaves, and is not Ready after that. A
# rebuild that was refused after this one has announced itself counts too, because it has counted this one.
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

# Whether the removal disturbs a node of the plan. If its machine or K3s is dead, the node is already away.
unit=k3s-agent
[ "$ROLE" = agent ] || unit=k3s
IS_REBUILT=no
if comes_back "$NAME" && running && guest_exec "$VMID" systemctl is-active -q "$unit"; then IS_REBUILT=yes; fi
if [ "$IS_REBUILT" = yes ]; then show_rebuild; fi

await_server "$API_WAIT" "$NAME" || fail "no server of the cluster answered within $API_WAIT s; $NAME keeps its machine" \
  "$START_SERVERS, then pulumi up; to remove the whole cluster: pulumi destroy, which needs no server"

# blockers: the pods that are left, and the disruption budgets that allow no eviction.
blockers() {
  say "pods left on $NAME:"
  kubectl get pods -A --field-selector "spec.nodeName=$NAME" -o wide || :
  say "disruption budgets that allow no eviction:"
  kubectl get pdb -A -o 'jsonpath={range .items[?(@.status.disruptionsAllowed==0)]}{.metadata.namespace}/{.metadata.name}{"\n"}{end}' || :
}

takes_pods_again() {
  undo_eviction "$NAME" || say "Longhorn did not undo the eviction of $NAME; the next pulumi up tries again"
  if kubectl uncordon "$NAME"; then rm -f "$LEAVING/$NAME"; fi
}

begin_to_leave() {
  mkdir -p "$LEAVING"
  : >"$LEAVING/$NAME"
}

# If the guest stops, kubectl waits for its pods until the timeout, so check the guest meanwhile. A kubectl that still runs then ends
# when the Node is deleted.
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

# Also check for data that would be destroyed with the machine.
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
    # Nothing on the node can end its pods. After the Node is deleted, the cluster starts them elsewhere.
    say "$NAME does not run or is not Ready: nothing to drain"
    kubectl cordon "$NAME"
  elif ! drain; then
    if ! running; then
      say "$NAME stopped while it was drained: its remaining pods start elsewhere"
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

# K3s on a server exits when its member is removed from etcd. If systemd restarted it, it would join again.
unit_override() { guest_exec "$VMID" sh -c "$1 && systemctl daemon-reload"; }
OVERRIDE=/run/systemd/system/k3s.service.d
if [ "$ROLE" = server ] && is_member "$NAME"; then
  say "removing $NAME from etcd"
  if running; then unit_override "mkdir -p $OVERRIDE && printf '[Service]\nRestart=no\n' >$OVERRIDE/leaving.conf" || :; fi
  if ! remove_member "$NAME"; then
    if running; then unit_override "rm -rf $OVERRIDE" || :; fi
    takes_pods_again
    fail "etcd did not remove $NAME within 2 min; it takes pods again and keeps its machine" \
      "$(guest_command "$SERVER" "journalctl -u k3s") on the Proxmox host says why; then pulumi up"
  fi
fi

if running; then
  say "stopping K3s on $NAME, so that it cannot register again"
  # On NixOS `disable` fails, because units come from its configuration.
  guest_exec "$VMID" systemctl disable --now "$unit" 2>/dev/null || guest_exec "$VMID" systemctl stop "$unit" || say "K3s on $NAME was not stopped: it did not stop in time, or it is not installed there"
fi

say "deleting the node $NAME and its password"
# A Node is deleted only after the server that K3s has elected for this work allows it. If that server is gone, K3s elects the next one
# after 45 s.
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
