# install-k3s (the node itself): the K3s binary, its configuration and its unit, and a start that is bounded.
# Arguments: ROLE server|agent, VERSION, NAME, ARCH amd64|arm64, FROM (folder with the release's files), IMAGES yes|no,
# CONFIG (config.yaml), START_TIMEOUT (s). Inputs: SHA256, IMAGES_SHA256.
# Secrets: TOKEN (server: the server token; agent: the agent's token in K10 form), AGENT_TOKEN (server only).
# Files: k3s.service, k3s-agent.service. Answers restarted, or unchanged where K3s runs on as it did.

ETC=/etc/rancher/k3s
case $ROLE in
  server) unit=k3s other=k3s-agent ;;
  agent) unit=k3s-agent other=k3s ;;
  *) fail "unknown role $ROLE" ;;
esac

check_node

# The binary of the last good start, until the one that has taken its place has started too.
FORMER=$BIN.former

# place FILE SUM TARGET MODE: answers 0 when TARGET changed. A download stands by the name of the sum that it was held
# against; what was brought from the host is held against it here.
place() {
  if has_sum "$3" "$2"; then return 1; fi
  mkdir -p "$(dirname "$3")"
  if [ -f "$FROM/$2" ]; then
    mv -f "$FROM/$2" "$3.new"
  else
    [ -f "$FROM/$1" ] || fail "$1 $VERSION is not there on $NAME any more" "pulumi up --replace with the URN of $NAME-artifacts brings it again"
    need_sum "$FROM/$1" "$2"
    # No link: the host's next version is written over what it brought.
    cp "$FROM/$1" "$3.new"
  fi
  chmod "$4" "$3.new"
  if [ "$3" = "$BIN" ] && [ -f "$BIN" ]; then ln -f "$BIN" "$FORMER"; fi
  mv -f "$3.new" "$3"
}

# take_back: that binary again, where there is one; the other one is where it came from, for the next try.
take_back() {
  [ -f "$FORMER" ] || return 1
  [ -f "$FROM/$BINARY_FILE" ] || mv -f "$BIN" "$FROM/$SHA256"
  mv -f "$FORMER" "$BIN"
}

changed=
note() { changed="$changed $1"; }

if place "$BINARY_FILE" "$SHA256" "$BIN" 0755; then note binary; fi
if [ "$IMAGES" = yes ] && place "$IMAGES_FILE" "$IMAGES_SHA256" "$IMAGES_DIR/$IMAGES_FILE" 0644; then note images; fi
case $("$BIN" --version) in
  "k3s version $VERSION "*) ;;
  *)
    says=$("$BIN" --version | head -n 1)
    take_back || :
    fail "$BIN says \"$says\", not $VERSION" "the file at artifacts.baseUrl is another version than the config's"
    ;;
esac

printf '%s\n' "$CONFIG" >"$WORK/config.yaml"
# A server that joins others (join.sh) checks them as agents do. Once it has data of its own it goes by these.
JOIN=/var/lib/proxmox-k3s/join
joins() { [ "$ROLE" = server ] && [ -s "$JOIN" ]; }
if joins; then
  read -r url ca_hash <"$JOIN"
  printf 'server: %s\n' "$url" >>"$WORK/config.yaml"
  printf 'K10%s::server:%s\n' "$ca_hash" "$(cat "$WORK/secret.TOKEN")" >"$WORK/secret.JOIN"
  mv -f "$WORK/secret.JOIN" "$WORK/secret.TOKEN"
fi
# An agent that has a server knows all of its cluster. With another one to begin with it would forget them, and depend on that one
# alone: the plan's first server is for agents that have none, or that get into another cluster, which the token tells.
has_server() { timeout 10 "$BIN" kubectl --kubeconfig=/var/lib/rancher/k3s/agent/kubelet.kubeconfig get --raw=/readyz >/dev/null 2>&1; }
if [ "$ROLE" = agent ] && cmp -s "$WORK/secret.TOKEN" "$ETC/token" && has_server; then
  sed -i "s|^server: .*|$(grep '^server: ' "$ETC/config.yaml")|" "$WORK/config.yaml"
fi
if install_file 0600 "$WORK/config.yaml" "$ETC/config.yaml"; then note configuration; fi
if install_file 0600 "$WORK/secret.TOKEN" "$ETC/token"; then note token; fi
if [ "$ROLE" = server ] && install_file 0600 "$WORK/secret.AGENT_TOKEN" "$ETC/agent-token"; then note agent-token; fi
if install_file 0644 "$WORK/$unit.service" "/etc/systemd/system/$unit.service"; then
  note unit
  systemctl daemon-reload
fi
for tool in kubectl crictl ctr; do
  [ -e "/usr/local/bin/$tool" ] || command -v "$tool" >/dev/null || ln -s k3s "/usr/local/bin/$tool"
done
if systemctl is-enabled -q "$other" 2>/dev/null; then systemctl disable --now "$other"; fi
systemctl is-enabled -q "$unit" 2>/dev/null || systemctl enable -q "$unit"

# --- the start, with every refusal named ----------------------------------------------------------------------------
# The inputs of the last good start: a run cut off between a change and its restart must still restart.
stamp=/var/lib/proxmox-k3s/started
# The engine keeps the former inputs of an update that failed. So must the node: else an option that K3s refuses, or a
# version that does not start, taken back in the config would be no change, and the node would stay without K3s. This is the
# last good start's config.yaml; its binary is $FORMER.
good=/var/lib/proxmox-k3s/config.yaml
inputs=$({ echo "$SHA256"; cat "$ETC/config.yaml" "$ETC"/*token "/etc/systemd/system/$unit.service"; } | sha256sum | cut -d' ' -f1)
if systemctl is-active -q "$unit" && [ "$(cat "$stamp" 2>/dev/null || :)" = "$inputs" ]; then
  cp -p "$ETC/config.yaml" "$good"
  rm -f "$FORMER"
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

# One look at the journal for all that is asked of it: each costs as much as K3s' own start can spare.
read_journal() { journalctl -u "$unit" ${cursor:+--after-cursor="$cursor"} -o cat --no-pager >"$WORK/journal" 2>/dev/null || :; }
journal() { cat "$WORK/journal"; }
seen() { grep -c -- "$1" "$WORK/journal" || :; }
refused() { # refused CAUSE NEXT
  say "--- the last lines of $unit on $NAME ---"
  journal | tail -n 20 | cut -c1-300
  if take_back; then
    if [ -f "$good" ]; then install_file 0600 "$good" "$ETC/config.yaml" || :; fi
    systemctl restart --no-block "$unit"
    fail "$unit on $NAME: $1; it starts again with the version it had" "set that version in the config again, or mend what the lines above say; then pulumi up"
  fi
  fail "$unit on $NAME: $1" "$2"
}
refused_options() { # refused_options CAUSE [NEXT]
  next=${2:-correct k3s.serverConfig or k3s.agentConfig in the config, then pulumi up}
  if [ ! -f "$FORMER" ] && [ -f "$good" ] && install_file 0600 "$good" "$ETC/config.yaml"; then
    systemctl restart --no-block "$unit"
    refused "$1; it starts again with the configuration it had" "$next"
  fi
  refused "$1" "$next"
}

UNREACHED='failed to get CA certs'
# Where an agent waits for its server, a server that joins ends, and systemd starts it again.
tries_again() { joins && [ "$(seen "$UNREACHED\|etcd cluster member list\|etcd cluster join failed\|Waiting for other members")" -gt 0 ]; }

# Lines and their meaning as observed with K3s v1.36.3: a refused join stays "activating" without end, so that only
# the journal tells. The first group is final; the second is final when seen twice; the rest is waited for.
check_refusals() {
  if [ "$(seen 'token CA hash does not match')" -gt 0 ]; then
    refused "the server's CA is not the one in the token" "something else answers at the server's address, or the server was rebuilt: pulumi up --refresh"
  elif [ "$(seen 'invalid token CA hash length')" -gt 0 ]; then
    refused "the token is malformed" "pulumi up; if it stays, the read-back of the CA hash failed: see /var/log/proxmox-k3s on the Proxmox host"
  elif [ "$(seen 'Waiting for file')" -gt 0 ]; then
    refused "a token file is missing" "pulumi up writes it again"
  elif [ "$(seen 'duplicate node name found')" -gt 0 ]; then
    refused "etcd still has a member of the name $NAME" "kubectl delete node $NAME takes it out of etcd, where that machine is gone; then pulumi up"
  elif [ "$(seen 'critical configuration mismatched')" -gt 0 ]; then
    refused_options "its options differ from the other servers': $(journal | sed -n 's/.*critical configuration mismatched: //p' | sort -u | paste -s -d ' ' -)"
  elif [ "$(seen 'not authorized')" -gt "$(if joins; then echo 0; else echo 1; fi)" ]; then
    refused "the server refuses the token" "the token on the servers differs from the stack's: pulumi up --refresh, or docs/operations.md, \"If K3s refuses the token\""
  elif ! tries_again && [ "$(seen 'level=fatal')" -gt 0 ]; then
    refused_options "$(journal | grep 'level=fatal' | tail -n 1)"
  elif [ "$(seen 'Unknown flag .* found in config.yaml')" -gt 0 ]; then
    # A server goes on without what it does not know, where an agent ends.
    refused_options "K3s $VERSION does not know $(journal | sed -n 's/.*Unknown flag \(--[^ ]*\) found in config.*/\1/p' | sort -u | paste -s -d ' ' -)"
  elif [ "$(seen 'kubelet exited')" -gt 0 ]; then
    refused_options "kubelet does not run: $(journal | grep 'kubelet exited' | tail -n 1)" \
      "if the line names an option, correct k3s.serverConfig or k3s.agentConfig; else docs/operations.md, \"If kubelet does not start in a container\""
  elif [ "$(seen 'Node password rejected')" -gt 1 ]; then
    refused "the cluster knows another machine by the name $NAME" "if that machine is gone: kubectl delete node $NAME, then pulumi up; else give this node another hostname"
  elif ! tries_again && [ "$(systemctl show -p NRestarts --value "$unit")" -gt 0 ]; then
    refused_options "K3s ends right after its start" "the lines above say why"
  fi
}

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
cp -p "$ETC/config.yaml" "$good"
rm -f "$FORMER"
printf '%s\n' "$inputs" >"$stamp"
outcome restarted
