# Reports the progress of the steps that install K3s on a node, for every system. Inputs: VERSION, NAME, CONFIG, START_TIMEOUT. The part
# for the system sets unit, JOIN and joins.

# The sum of the inputs of the last good start of K3s.
stamp=/var/lib/proxmox-k3s/started
# If the node has joined before, a start is no onboarding.
joined=
if [ -e "$stamp" ]; then joined=yes; fi

k3s_begins() {
  # One report for all, because each takes a moment.
  DOING=k3s_installed
  set -- "$DOING" running "installing K3s $VERSION"
  for step in packages_installed iscsi_enabled; do
    [ -n "$(state_of "$step")" ] || set -- "$@" "$step" skipped "the pool asks for none"
  done
  progress "$@"
  [ -n "$joined" ] || await_server_to_join
}
k3s_starts() {
  DOING=cluster_joined
  progress k3s_installed "done" "K3s $VERSION" "$DOING" running "starting $unit"
}
k3s_runs_on() { progress k3s_installed "done" "K3s $VERSION" cluster_joined "done" "$unit runs"; }
k3s_runs() {
  if [ -n "$joined" ]; then
    progress cluster_joined "done" "$unit runs"
  else
    progress cluster_joined running "$unit runs; waiting for its Node to be Ready"
  fi
}

# await_server_to_join: sets URL to the server that a new node joins, if any. Before K3s is touched, waits for it to answer, because it
# may be restarting; ends the step if it does not answer in time.
await_server_to_join() {
  if joins; then URL=$(cut -d' ' -f1 "$JOIN"); else URL=$(printf '%s\n' "$CONFIG" | sed -n 's/^server: *//p'); fi
  if [ -z "$URL" ] || ! command -v bash >/dev/null; then return 0; fi
  limit=$START_TIMEOUT
  # This wait's share of the step's time limit (plan/bounds.ts).
  if [ "$limit" -gt 100 ]; then limit=100; fi
  address=${URL#https://}
  asked_since=$(now)
  until reaches "${address%:*}" "${address##*:}"; do
    [ $(($(now) - asked_since)) -lt "$limit" ] ||
      fail "$unit on $NAME: no server answered within $limit s" "see that $URL is reachable from $NAME and that K3s runs there; then pulumi up"
    sleep 0.5
  done
}
