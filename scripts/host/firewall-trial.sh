# firewall-trial (Proxmox host): all nodes apply their rules for a minute. Then the program connects to each by SSH; if that works,
# host/firewall.sh keeps the rules, otherwise each node goes back to its former ones by itself. Nodes that do not run are skipped.
# Arguments: RULES (for `nft -f`), MESH ("VMID NAME ADDRESS ROLE" of the plan's nodes, one per line), REPAIRS (a new number runs
# it again). Input: CLUSTER_ID. Files: guest-firewall.sh, k3smesh.service.
# Answers "NAME ADDRESS" for each address of each node of the plan that has rules on trial. Not of a node that leaves, because it may be
# broken.

lock_mesh
rm -rf "$ON_TRIAL"
mkdir -p "$ON_TRIAL"
printf '%s\n' "$RULES" >"$ON_TRIAL/plan.nft"
printf '%s\n' "$MESH" >"$ON_TRIAL/nodes"
cp "$WORK/guest-firewall.sh" "$WORK/k3smesh.service" "$ON_TRIAL"
# The nodes accept connections from a node that is no longer in the plan, or gets another address, until it has left (lib/firewall.sh,
# shut_out).
cat "$KEPT_RULES/nodes" "$KEPT_RULES/former" 2>/dev/null | sort -u | grep -vxFf "$ON_TRIAL/nodes" >"$WORK/former" || :
while read -r vmid rest; do
  if has_our_guest "$vmid"; then echo "$vmid $rest"; fi
done <"$WORK/former" >"$ON_TRIAL/former"
compose "$ON_TRIAL"
in_mesh "$ON_TRIAL" >"$WORK/to"
tell_all "$ON_TRIAL" try "$TRIAL_SECONDS" <"$WORK/to"

refused=$(refusals_of <"$ON_TRIAL/nodes")
[ -z "$refused" ] || fail "these nodes refuse the rules, so all nodes keep their former ones:
$refused" "fix these, then pulumi up"
# The engine does not show the output of a trial, so host/firewall.sh prints this.
not_told >"$ON_TRIAL/later"
who_said tried >"$ON_TRIAL/tried"
while read -r vmid name; do
  if grep -q "^$vmid $name " "$ON_TRIAL/nodes"; then
    cat "$ON_TRIAL/nodes" "$ON_TRIAL/former" | awk -v vmid="$vmid" -v name="$name" '$1 == vmid { print name, $3 }'
  fi
done <"$ON_TRIAL/tried" | sort -u >"$WORK/outcome"
