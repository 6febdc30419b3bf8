# Starts K3s after a change: the last part of the steps that install K3s. Runs on the node itself.
# Needs from the parts before it: unit, changed (for people), inputs (the sum of everything that K3s is started with), keep_good, and
# node/k3s-onboarding.sh and node/k3s-refusals.sh with what they need. Answers restarted.

say "starting $unit${changed:+ (changed:$changed)}"
k3s_starts
began=$(now)
# Stop it first: a K3s that is stopped during its start logs a failure, which must not count for the new start.
systemctl stop "$unit"
systemctl reset-failed "$unit" 2>/dev/null || :
# K3s takes an interrupted migration from SQLite to etcd for a finished one. It renames SQLite's file only after the migration.
db=/var/lib/rancher/k3s/server/db
if [ -e "$db/state.db" ] && [ -d "$db/etcd/member/wal" ]; then
  say "the migration to etcd was interrupted; it starts again"
  rm -rf "$db/etcd"
fi
# A cursor and not a time: the same second may also have lines of the former K3s.
cursor=$(journalctl -q -n 1 -o cat --show-cursor | sed -n 's/^-- cursor: //p')
systemctl start --no-block "$unit"

# K3s reports that it is up before kubelet has read its options, so check kubelet too, at its default port. If the config sets
# another port for it, skip this.
kubelet_answers() {
  grep -qs healthz- "$ETC/config.yaml" "$ETC"/config.yaml.d/*.yaml ||
    KUBECONFIG='' "$BIN" kubectl --server=http://127.0.0.1:10248 --request-timeout=5s get --raw=/healthz >/dev/null 2>&1
}
# The cheapest check first: while K3s starts, each kubectl takes processor time from it.
is_up() {
  if ! systemctl is-active -q "$unit"; then
    rm -f "$WORK/active"
    return 1
  fi
  [ -e "$WORK/active" ] || : >"$WORK/active"
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
# Its time says since when K3s runs (host/ready.sh).
touch -r "$WORK/active" "$stamp"
k3s_runs
outcome restarted
