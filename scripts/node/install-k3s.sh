# install-k3s (the node itself): the K3s binary, its configuration and its unit, and a start that is bounded.
# Arguments: ROLE server|agent, VERSION, NAME, ARCH amd64|arm64, FROM (folder with the release's files), IMAGES yes|no,
# CONFIG (config.yaml), START_TIMEOUT (s), REPAIRS (another number restarts K3s). Inputs: SHA256, IMAGES_SHA256.
# Secrets: TOKEN (server: the server token; agent: the agent's token in K10 form), AGENT_TOKEN (server only).
# Files: k3s.service, k3s-agent.service, zfs-snapshotters. Answers restarted, or unchanged where K3s runs on as it did.

check_node
install_release
install_settings
for tool in kubectl crictl ctr; do
  [ -e "/usr/local/bin/$tool" ] || command -v "$tool" >/dev/null || ln -s k3s "/usr/local/bin/$tool"
done
if systemctl is-enabled -q "$other" 2>/dev/null; then systemctl disable --now "$other"; fi
systemctl is-enabled -q "$unit" 2>/dev/null || systemctl enable -q "$unit"

# The inputs of the last good start: a run cut off between a change and its restart must still restart.
stamp=/var/lib/proxmox-k3s/started
inputs=$(inputs_sum)
if systemctl is-active -q "$unit" && [ "$(cat "$stamp" 2>/dev/null || :)" = "$inputs" ]; then
  keep_good
  outcome unchanged
  exit 0
fi

say "starting $unit${changed:+ (changed:$changed)}"
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
is_up() {
  [ "$ROLE" = agent ] || "$BIN" kubectl get --raw=/readyz >/dev/null 2>&1 || return 1
  systemctl is-active -q "$unit" && kubelet_answers
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
mkdir -p "$(dirname "$stamp")"
keep_good
printf '%s\n' "$inputs" >"$stamp"
outcome restarted
