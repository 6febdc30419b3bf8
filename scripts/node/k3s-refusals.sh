# Finds in the journal why K3s does not start. Runs on the node itself.

# read_journal: reads the journal once for all checks, because each read takes processor time from the start of K3s.
read_journal() { journalctl -u "$unit" ${cursor:+--after-cursor="$cursor"} -o cat --no-pager >"$WORK/journal" 2>/dev/null || :; }
journal() { cat "$WORK/journal"; }
seen() { grep -c -- "$1" "$WORK/journal" || :; }
# start_again: restarts K3s with the restored files. Waits up to 30 s, so that the progress report knows whether K3s runs (lib/doing.sh).
start_again() {
  systemctl restart --no-block "$unit"
  patience=$START_TIMEOUT
  if [ "$patience" -gt 30 ]; then patience=30; fi
  again_since=$(now)
  until systemctl is-active -q "$unit" || [ $(($(now) - again_since)) -ge "$patience" ]; do sleep 0.5; done
}
refused() { # refused CAUSE NEXT
  say "--- the last lines of $unit on $NAME ---"
  journal | tail -n 20 | cut -c1-300
  if take_back; then
    take_back_config || :
    start_again
    fail "$unit on $NAME: $1; it starts again with $HAD" "${HAD_NEXT:-$2}"
  fi
  fail "$unit on $NAME: $1" "$2"
}
refused_options() { # refused_options CAUSE [NEXT]
  next=${2:-correct k3s.serverConfig or k3s.agentConfig in the config, then pulumi up}
  if [ ! -f "$FORMER" ] && take_back_config; then
    start_again
    refused "$1; it starts again with the configuration it had" "$next"
  fi
  refused "$1" "$next"
}

UNREACHED='failed to get CA certs'
# An agent waits for its server. A server that joins exits instead, and systemd restarts it.
tries_again() { joins && [ "$(seen "$UNREACHED\|etcd cluster member list\|etcd cluster join failed\|Waiting for other members")" -gt 0 ]; }

# On a busy machine or a slow disk, K3s exits if a part of it takes too long. systemd restarts it, so this is not a refusal.
TOO_SLOW='level=fatal.*\(leaderelection lost\|exited: .*\(deadline exceeded\|timed out\|timeout\)\)'

# check_refusals: ends the step if K3s cannot start. Lines and their meaning as observed with K3s v1.36.3. A refused join stays
# "activating" for ever, so only the journal shows it. Most lines are final at once. Some are final only if repeated: "not
# authorized", twice unless a server joins others; an exit because of a timeout, three times; a name that is taken, five times,
# because a server whose API is slow logs that too. For anything else, wait.
check_refusals() {
  # This runs twice a second, and each program takes processor time from a K3s that is starting.
  if grep -q "$SIGNS" "$WORK/journal" || [ "$(restarts)" -gt 0 ]; then check_each_refusal; fi
}
# Every line that check_each_refusal looks for has one of these.
SIGNS='token CA hash\|Waiting for file\|duplicate node name\|configuration mismatched\|not authorized\|level=fatal\|Unknown flag\|kubelet exited\|password rejected'
restarts() { systemctl show -p NRestarts --value "$unit"; }
check_each_refusal() {
  if [ "$(seen 'token CA hash does not match')" -gt 0 ]; then
    refused "the server's CA is not the one in the token" "something else answers at the server's address, or the server was rebuilt: pulumi up --refresh"
  elif [ "$(seen 'invalid token CA hash length')" -gt 0 ]; then
    refused "the token is malformed" "pulumi up; if the error stays, the CA hash was not read correctly: see /var/log/proxmox-k3s on the Proxmox host"
  elif [ "$(seen 'Waiting for file')" -gt 0 ]; then
    refused "a token file is missing" "pulumi up writes it again"
  elif [ "$(seen 'duplicate node name found')" -gt 0 ]; then
    refused "etcd still has a member of the name $NAME" "if that machine is gone: kubectl delete node $NAME, which removes the member from etcd; then pulumi up"
  elif [ "$(seen 'critical configuration mismatched')" -gt 0 ]; then
    refused_options "its options differ from the other servers': $(journal | sed -n 's/.*critical configuration mismatched: //p' | sort -u | paste -s -d ' ' -)"
  elif [ "$(seen 'not authorized')" -gt "$(if joins; then echo 0; else echo 1; fi)" ]; then
    refused "the server refuses the token" "the token on the servers differs from the stack's: pulumi up --refresh, or docs/operations.md, \"If K3s refuses the token\""
  elif ! tries_again && [ "$(seen 'level=fatal')" -gt "$(seen "$TOO_SLOW")" ]; then
    refused_options "$(journal | grep 'level=fatal' | grep -v "$TOO_SLOW" | tail -n 1)"
  elif [ "$(seen "$TOO_SLOW")" -gt 2 ]; then
    refused "it exits again and again, because a part of it takes too long: $(journal | grep "$TOO_SLOW" | tail -n 1)" \
      "give $NAME more processors or a faster disk, then pulumi up"
  elif [ "$(seen 'Unknown flag .* found in config.yaml')" -gt 0 ]; then
    # A server ignores an unknown option; an agent exits.
    refused_options "K3s $VERSION does not know $(journal | sed -n 's/.*Unknown flag \(--[^ ]*\) found in config.*/\1/p' | sort -u | paste -s -d ' ' -)"
  elif [ "$(seen 'kubelet exited')" -gt 0 ]; then
    refused_options "kubelet does not run: $(journal | grep 'kubelet exited' | tail -n 1)" \
      "if the line names an option, correct k3s.serverConfig or k3s.agentConfig; else docs/operations.md, \"If kubelet does not start in a container\""
  elif [ "$(seen 'Node password rejected')" -gt 4 ]; then
    refused "the cluster has another machine with the name $NAME" "if that machine is gone: kubectl delete node $NAME, then pulumi up; else give this node another hostname"
  elif ! tries_again && [ "$(seen "$TOO_SLOW")" -eq 0 ] && [ "$(restarts)" -gt 0 ]; then
    refused_options "K3s exits right after its start" "the lines above say why"
  fi
}
