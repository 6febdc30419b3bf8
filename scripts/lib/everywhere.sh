# Asks every guest of the cluster. Runs on the Proxmox host. Needs lib/cluster.

# list_guests: writes "VMID NAME" of every server to $WORK/servers, in the order in which every step asks them, and of every other
# trusted guest to $WORK/agents.
list_guests() {
  all_servers >"$WORK/servers"
  confs_here | while read -r conf; do
    if is_trusted "$conf" && ! grep -q "^$(vmid_of "$conf") " "$WORK/servers"; then
      echo "$(vmid_of "$conf") $(guest_name "$conf")"
    fi
  done >"$WORK/agents"
}

# ask_all SERVER_QUESTION QUESTION: calls them with VMID and NAME of each guest, and prints the answers in the order of the lists. All
# run at the same time, because each guest that hangs takes the full time limit. Only eight agents at once, to limit the host's load.
ask_all() {
  while read -r asked name; do "$1" "$asked" "$name" >"$WORK/seen.$asked" & done <"$WORK/servers"
  begun=0
  while read -r asked name; do
    "$2" "$asked" "$name" >"$WORK/seen.$asked" &
    begun=$((begun + 1))
    if [ $((begun % 8)) -eq 0 ]; then wait; fi
  done <"$WORK/agents"
  wait
  cat "$WORK/servers" "$WORK/agents" | while read -r asked _; do cat "$WORK/seen.$asked"; done
}
