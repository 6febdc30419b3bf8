# ready (Proxmox host): waits until the node is Ready at the wanted version and stays Ready; sets its labels and taints.
# Arguments: VMID, NAME, VERSION, LABELS ("key=value", one per line), TAINTS ("key=value:Effect" or "key:Effect", one per line),
# LONGHORN_DISKS (the disks for Longhorn: "serial GiB", one per line), ETCD yes|no (the node is a member), TIMEOUT (s), REPAIRS (a new
# number runs it again). Input: CLUSTER_ID. Files: progress.sh, guest-unmount.sh.
# K3s never removes a label, and sets taints only at the first registration. So the host keeps a note of what this script has
# set. Only labels and taints in that note are removed when they are no longer in the config.

# The progress report is a file in the guest.
progress() {
  { printf 'NAME=%s\n' "$NAME"; cat "$WORK/progress.sh"; echo 'progress "$@"'; } |
    GUEST_BOUND=15 guest_feed "$VMID" sh -s -- "$@" >/dev/null 2>&1 || :
}
DOING=cluster_joined

need_machine
need_server "$TIMEOUT"

# The API still calls a node Ready for about 40 s after its guest has stopped, so check the guest too. This takes a moment, so
# not each time.
guest_seen=$(now)
still_there() {
  [ $(($(now) - guest_seen)) -ge 5 ] || return 0
  still_runs "the step waited for the node"
  guest_seen=$(now)
}

node() { kubectl get node "$NAME" --ignore-not-found -o "jsonpath=$1"; }
steady_for() {
  if await_ready "$NAME" "$VERSION" "$1" still_there; then return 0; fi
  kubectl describe node "$NAME" | sed -n '/^Conditions:/,/^Addresses:/p' || :
  SEEN=${SEEN%|*}
  fail "$NAME is not Ready at $VERSION after $TIMEOUT s (seen: ${SEEN:-no such node})" "find the cause in the conditions above and in journalctl on the node, then pulumi up"
}

# The installation on the node has already seen K3s and its kubelet run. The time since then, by the node's clock, counts for
# the wait here. In hundredths of a second.
STEADY=3
# shellcheck disable=SC2016 # the guest's values
up=$(number "$(guest_exec "$VMID" sh -c 'echo "$(date +%s.%N) $(stat -c %.2Y /var/lib/proxmox-k3s/started)"' 2>/dev/null | awk '{ printf "%d", ($1 - $2) * 100 }')")
if [ "$up" -gt $((STEADY * 100)) ]; then up=$((STEADY * 100)); fi

say "waiting for $NAME to be Ready at $VERSION"
BEGAN=$(now)
KNOWN_SINCE=$(($(now_cs) - up))
steady_for 0
# In the background, because each report takes a moment.
progress cluster_joined "done" "Ready at $VERSION" node_labeled running "setting labels and taints" &
reported=$!
DOING=node_labeled

withdraw_disks

# Labels and taints. Those that are no longer in the config are removed from the Node only if the notes say that we set them.
mkdir -p "$NOTES"
touch "$NOTES/$NAME.labels" "$NOTES/$NAME.taints"
printf '%s\n' "$LABELS" | sed '/^$/d' >"$WORK/labels"
printf '%s\n' "$TAINTS" | sed '/^$/d' >"$WORK/taints"

# A label that is no longer in the config is removed by its key, unless the key now has another value.
set --
while IFS= read -r label; do
  cut -d= -f1 "$WORK/labels" | grep -qxF -- "${label%%=*}" || set -- "$@" "${label%%=*}-"
done <"$NOTES/$NAME.labels"
while IFS= read -r label; do set -- "$@" "$label"; done <"$WORK/labels"
if [ $# -gt 0 ]; then
  # kubectl prints "not labeled" if the labels are already set, which reads like a failure.
  kubectl label node "$NAME" --overwrite -- "$@" >/dev/null
fi

set --
while IFS= read -r taint; do
  grep -qxF -- "$taint" "$WORK/taints" || set -- "$@" "${taint%%[=:]*}:${taint##*:}-"
done <"$NOTES/$NAME.taints"
if [ $# -gt 0 ]; then kubectl taint node "$NAME" -- "$@" >/dev/null || :; fi
set --
while IFS= read -r taint; do set -- "$@" "$taint"; done <"$WORK/taints"
if [ $# -gt 0 ]; then kubectl taint node "$NAME" --overwrite -- "$@" >/dev/null; fi
for kind in labels taints; do install_file 0600 "$WORK/$kind" "$NOTES/$NAME.$kind" || :; done

offer_disks

# An interrupted removal has left the node cordoned, so uncordon it. A cordon by somebody else stays. Longhorn may not
# run yet on a node that was rebuilt: then the next run of this step undoes the eviction.
undo_eviction "$NAME" || say "Longhorn cannot place replicas on $NAME yet; the next pulumi up tries again"
if [ -e "$LEAVING/$NAME" ]; then
  kubectl uncordon "$NAME"
  rm -f "$LEAVING/$NAME"
fi

wait "$reported"
progress node_labeled "done" "labels: $(wc -l <"$WORK/labels"), taints: $(wc -l <"$WORK/taints")" \
  health_check_ready running "waiting for it to stay Ready" &
reported=$!
DOING=health_check_ready
steady_for "$STEADY"
# K3s starts a server's API when its member can vote, and writes the member's name to its Node soon after. Without that name the
# server could not leave again.
is_named() { [ -n "$(node '{.metadata.annotations.etcd\.k3s\.cattle\.io/node-name}')" ]; }
until [ "$ETCD" = no ] || is_named; do
  still_there
  [ $(($(now) - BEGAN)) -lt "$TIMEOUT" ] ||
    fail "$NAME is not a member of etcd after $TIMEOUT s" "find the cause with $(guest_command "$VMID" "journalctl -u k3s") on the Proxmox host, then pulumi up"
  sleep 0.5
done
still_runs "the step waited for the node"

# If this was a rebuild, it is complete.
rm -f "$REBUILDING/$NAME"

pods=$(kubectl -n kube-system get pods --no-headers 2>/dev/null | awk '$3 != "Completed" { all++; split($2, n, "/"); if (n[1] == n[2]) ready++ } END { printf "%d of %d", ready, all }')
wait "$reported"
progress health_check_ready "done" "Ready at $VERSION; kube-system pods ready: $pods"
outcome "$NAME is Ready at $VERSION; kube-system pods ready: $pods"
