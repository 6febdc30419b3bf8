# The start of K3s after a change: the last part of the steps that bring K3s to a node. It stands on the node itself.
# From the parts before it: unit, changed (for people), inputs (a sum of all that K3s is started with), keep_good, what
# node/k3s-onboarding.sh has, and what node/k3s-refusals.sh needs. Answers restarted.

say "starting $unit${changed:+ (changed:$changed)}"
k3s_starts
began=$(now)
# Ended first, as the last words of a K3s that is stopped while it starts are those of a failure.
systemctl stop "$unit"
systemctl reset-failed "$unit" 2>/dev/null || :
# K3s takes a migration from SQLite to etcd that was cut off for a finished one. SQLite's file keeps its name until then.
db=/var/lib/rancher/k3s/server/db
if [ -e "$db/state.db" ] && [ -d "$db/etcd/member/wal" ]; then
  say "the migration to etcd was cut off; it begins anew"
  rm -rf "$db/etcd"
fi
# Not a time: its second would bring along those words.
cursor=$(journalctl -q -n 1 -o cat --show-cursor | sed -n 's/^-- cursor: //p')
systemctl start --no-block "$unit"

# K3s calls itself up before kubelet has read its options, so kubelet is asked too, at its own port unless that was moved.
kubelet_answers() {
  grep -qs healthz- "$ETC/config.yaml" "$ETC"/config.yaml.d/*.yaml ||
    KUBECONFIG='' "$BIN" kubectl --server=http://127.0.0.1:10248 --request-timeout=5s get --raw=/healthz >/dev/null 2>&1
}
# The cheapest question first: while K3s starts, each kubectl takes processor time that it wants itself.
is_up() {
  systemctl is-active -q "$unit" || return 1
  [ "$ROLE" = agent ] || "$BIN" kubectl get --raw=/readyz >/dev/null 2>&1 || return 1
  kubelet_answers
}

until is_up; do
  read_journal
  check_refusals
  if [ $(($(now) - began)) -ge "$START_TIMEOUT" ]; then
    if [ "$(seen "$UNREACHED")" -gt 0 ]; then
      refused "no server answered within $START_TIMEOUT s" "see that $(sed -n 's/^server: *//p' "$ETC/config.yaml") is reachable from $NAME and that K3s runs there"
    fi
    refused "not up within $START_TIMEOUT s" "the lines above say what it waits for"
  fi
  sleep 0.5
done
mkdir -p "${stamp%/*}"
keep_good
printf '%s\n' "$inputs" >"$stamp"
k3s_runs
outcome restarted
