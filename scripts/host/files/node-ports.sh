# Runs inside a guest, after lib/node-checks, on stdin of `sh -s`: checks whether ports of nodes accept a connection from there.
# Arguments: TARGETS ("NAME ADDRESS", one per line), PORTS (separated by blanks). Answers "NAME PORT answers|silent", one per line;
# nothing without bash.

node_ports() {
  if ! command -v bash >/dev/null; then return 0; fi
  begun=0
  while read -r target address; do
    for port in $PORTS; do
      if [ -z "$address" ]; then continue; fi
      { if reaches "$address" "$port"; then echo "$target $port answers"; else echo "$target $port silent"; fi; } &
      begun=$((begun + 1))
      if [ $((begun % 32)) -eq 0 ]; then wait; fi
    done
  done <<END
$TARGETS
END
  wait
}
node_ports
