# ready (Proxmox host): the node is Ready at the wanted version and stays so, with the wanted labels and taints.
# Arguments: VMID, NAME, VERSION, LABELS ("key=value" one a line), TAINTS ("key=value:Effect" or "key:Effect" one a line),
# ETCD yes|no (it is a member), TIMEOUT (s). Input: CLUSTER_ID.
# K3s never removes a label and sets taints at the first registration only: what we set is noted on the host, so that what
# has gone from the config can be taken away, and nothing else.

need_machine
need_server "$TIMEOUT"

# The API calls a node Ready for some 40 s after its guest has ended. Each question takes the host a moment, so it is not
# asked at every look.
guest_seen=$(now)
still_there() {
  [ $(($(now) - guest_seen)) -ge 5 ] || return 0
  still_runs "its node was awaited"
  guest_seen=$(now)
}

node() { kubectl get node "$NAME" --ignore-not-found -o "jsonpath=$1"; }
steady_for() {
  if await_ready "$NAME" "$VERSION" "$1" still_there; then return 0; fi
  kubectl describe node "$NAME" | sed -n '/^Conditions:/,/^Addresses:/p' || :
  SEEN=${SEEN%|*}
  fail "$NAME is not Ready at $VERSION after $TIMEOUT s (seen: ${SEEN:-no such node})" "the conditions above and journalctl on the node say why"
}

# The node's own installation has seen K3s up, with its kubelet: the seconds since count, by the clock of that machine, and
# as many of them as could be waited for here.
STEADY=3
# shellcheck disable=SC2016 # the guest's values
up=$(number "$(guest_exec "$VMID" sh -c 'echo $(($(date +%s) - $(stat -c %Y /var/lib/proxmox-k3s/started)))' 2>/dev/null || :)")
if [ "$up" -gt "$STEADY" ]; then up=$STEADY; fi

say "waiting for $NAME to be Ready at $VERSION"
BEGAN=$(now)
KNOWN_SINCE=$((BEGAN - up))
steady_for 0

# Labels and taints. Of those that are on the Node and no longer in the config, only what the notes say was ours goes.
mkdir -p "$NOTES"
touch "$NOTES/$NAME.labels" "$NOTES/$NAME.taints"
printf '%s\n' "$LABELS" | sed '/^$/d' >"$WORK/labels"
printf '%s\n' "$TAINTS" | sed '/^$/d' >"$WORK/taints"

# A label that has gone is taken away by its key, unless the key has another value now.
set --
while IFS= read -r label; do
  cut -d= -f1 "$WORK/labels" | grep -qxF -- "${label%%=*}" || set -- "$@" "${label%%=*}-"
done <"$NOTES/$NAME.labels"
while IFS= read -r label; do set -- "$@" "$label"; done <"$WORK/labels"
if [ $# -gt 0 ]; then kubectl label node "$NAME" --overwrite -- "$@"; fi

set --
while IFS= read -r taint; do
  grep -qxF -- "$taint" "$WORK/taints" || set -- "$@" "${taint%%[=:]*}:${taint##*:}-"
done <"$NOTES/$NAME.taints"
if [ $# -gt 0 ]; then kubectl taint node "$NAME" -- "$@" || :; fi
set --
while IFS= read -r taint; do set -- "$@" "$taint"; done <"$WORK/taints"
if [ $# -gt 0 ]; then kubectl taint node "$NAME" --overwrite -- "$@"; fi
for kind in labels taints; do install_file 0600 "$WORK/$kind" "$NOTES/$NAME.$kind" || :; done

# A removal that was cut off left the node cordoned: it takes pods again. A cordon of somebody else's stays.
if [ -e "$LEAVING/$NAME" ]; then
  kubectl uncordon "$NAME"
  rm -f "$LEAVING/$NAME"
fi

steady_for "$STEADY"
# K3s starts a server's API when its member has a vote, and names the member on its Node soon after: without that it could not
# leave again.
is_named() { [ -n "$(node '{.metadata.annotations.etcd\.k3s\.cattle\.io/node-name}')" ]; }
until [ "$ETCD" = no ] || is_named; do
  still_there
  [ $(($(now) - BEGAN)) -lt "$TIMEOUT" ] ||
    fail "$NAME is no member of etcd after $TIMEOUT s" "pct exec $VMID -- journalctl -u k3s on the Proxmox host says why; then pulumi up"
  sleep 0.5
done
still_runs "its node was awaited"

pods=$(kubectl -n kube-system get pods --no-headers 2>/dev/null | awk '$3 != "Completed" { all++; split($2, n, "/"); if (n[1] == n[2]) ready++ } END { printf "%d of %d", ready, all }')
outcome "$NAME is Ready at $VERSION; kube-system pods ready: $pods"
