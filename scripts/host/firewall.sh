# firewall (Proxmox host): makes the rules on trial permanent (host/firewall-trial.sh), because a new connection from outside was
# accepted. On deletion it removes the rules from all nodes.
# Arguments: ACTION, RULES, MESH, REPAIRS. Input: CLUSTER_ID. Files: guest-firewall.sh, k3smesh.service.

lock_mesh
if [ "$ACTION" = delete ]; then
  : >"$WORK/rules.nft"
  for folder in "$KEPT_RULES" "$ON_TRIAL"; do
    if [ -d "$folder" ]; then in_mesh "$folder"; fi
  done | sort -u >"$WORK/to"
  tell_all "$WORK" off <"$WORK/to"
  refused=$(refusals)
  [ -z "$refused" ] || fail "these nodes still have their firewall:
$refused" "fix these, then pulumi up"
  left=$(not_told | names_of)
  [ -z "$left" ] || fail "these nodes do not run, so they still have their firewall: $left" "start them, or remove them from the config; then pulumi up"
  rm -rf "$KEPT_RULES" "$ON_TRIAL"
  outcome "no node has a firewall any more"
  exit 0
fi

[ -s "$ON_TRIAL/rules.nft" ] || fail "no rules are on trial on the Proxmox host" "pulumi up"
tell_all "$ON_TRIAL" keep <"$ON_TRIAL/tried"
refused=$(refusals)
[ -z "$refused" ] || fail "these nodes did not keep the rules:
$refused" "fix these, then pulumi up"
gone_back=$(who_said former | names_of)
[ -z "$gone_back" ] || fail "these nodes went back to their former rules, because the new ones were not confirmed in $TRIAL_SECONDS s: $gone_back" "pulumi up"
{
  cat "$ON_TRIAL/later"
  not_told
} | say_later
rm -rf "$KEPT_RULES"
mv "$ON_TRIAL" "$KEPT_RULES"
outcome "the nodes accept connections from $(printf '%s\n' "$MESH" | names_of)"
