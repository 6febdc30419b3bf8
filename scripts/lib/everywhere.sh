# A question to every guest of the cluster. Runs on the Proxmox host. Needs lib/cluster.

# list_guests: "VMID NAME" of every server, in the order in which every step asks them, to $WORK/servers; of every other guest of
# ours to $WORK/agents.
list_guests() {
  all_servers >"$WORK/servers"
  confs_here | while read -r conf; do
    if is_trusted "$conf" && ! grep -q "^$(vmid_of "$conf") " "$WORK/servers"; then
      echo "$(vmid_of "$conf") $(guest_name "$conf")"
    fi
  done >"$WORK/agents"
}

# ask_all SERVER_QUESTION QUESTION: calls them with VMID and NAME of each guest, and prints the answers in the order of the lists. At
# the same time, as each that hangs takes its bound; of many agents only some, for the host's sake.
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
