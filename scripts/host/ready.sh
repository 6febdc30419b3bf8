# ready (Proxmox host): the node is Ready at the wanted version and stays so, with the wanted labels and taints.
# Arguments: VMID, NAME, VERSION, LABELS ("key=value" one a line), TAINTS ("key=value:Effect" or "key:Effect" one a line),
# ETCD yes|no (it is a member), TIMEOUT (s). Input: CLUSTER_ID.
# K3s never removes a label and sets taints at the first registration only: what we set is noted in two annotations of
# the Node, so that what has gone from the config can be taken away, and nothing else.

LABELS_NOTE=proxmox-k3s/labels
TAINTS_NOTE=proxmox-k3s/taints

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
up_for() {
  # shellcheck disable=SC2016 # the guest's values
  pct exec "$VMID" -- sh -c 'echo $(($(date +%s) - $(stat -c %Y /var/lib/proxmox-k3s/started)))' 2>/dev/null </dev/null || echo 0
}
up=$(up_for)
if [ "$up" -lt 0 ]; then up=0; elif [ "$up" -gt "$STEADY" ]; then up=$STEADY; fi

say "waiting for $NAME to be Ready at $VERSION"
BEGAN=$(now)
known_since=$((BEGAN - up))
steady_for 0

# gone OLD NEW: what stands in OLD (one line, space separated) and not in NEW (one a line).
gone() {
  for item in $1; do
    printf '%s\n' "$2" | grep -qxF -- "$item" || printf '%s\n' "$item"
  done
}
one_line() { printf '%s' "$1" | tr '\n' ' '; }
annotation() { printf '%s' "{.metadata.annotations['$1']}{'\n'}"; }
node "$(annotation "$LABELS_NOTE")$(annotation "$TAINTS_NOTE")$(annotation proxmox-k3s/leaving)" >"$WORK/notes"
note() { sed -n "$1p" "$WORK/notes"; }

set --
for label in $(gone "$(note 1)" "$LABELS"); do
  key=${label%%=*}
  printf '%s\n' "$LABELS" | grep -q "^$key=" || set -- "$@" "$key-"
done
for label in $LABELS; do set -- "$@" "$label"; done
if [ $# -gt 0 ]; then kubectl label node "$NAME" --overwrite "$@"; fi

set --
for taint in $(gone "$(note 2)" "$TAINTS"); do
  set -- "$@" "${taint%%[=:]*}:${taint##*:}-"
done
if [ $# -gt 0 ]; then kubectl taint node "$NAME" "$@" || :; fi
set --
for taint in $TAINTS; do set -- "$@" "$taint"; done
if [ $# -gt 0 ]; then kubectl taint node "$NAME" --overwrite "$@"; fi
if [ "$(note 1)" != "$(one_line "$LABELS")" ] || [ "$(note 2)" != "$(one_line "$TAINTS")" ]; then
  kubectl annotate node "$NAME" --overwrite "$LABELS_NOTE=$(one_line "$LABELS")" "$TAINTS_NOTE=$(one_line "$TAINTS")" >/dev/null
fi

# A removal that was cut off left the node cordoned: it takes pods again. A cordon of somebody else's stays.
if [ -n "$(note 3)" ]; then
  kubectl uncordon "$NAME"
  kubectl annotate node "$NAME" proxmox-k3s/leaving- >/dev/null
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
