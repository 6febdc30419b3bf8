# rules (Proxmox host): makes the rules of one new node permanent (host/rules-trial.sh). Its former address and role are dropped.
# Arguments: VMID, NAME, ADDRESS. Input: CLUSTER_ID.

need_machine
need_rules
tell_one keep
case $SAID in
  kept | unchanged) ;;
  former) fail "$NAME went back to its former rules, because the new ones were not confirmed in $TRIAL_SECONDS s" "pulumi up" ;;
  *) fail_silent ;;
esac
if grep -q "^$VMID $NAME " "$KEPT_RULES/former"; then shut_out "$VMID" "$NAME"; fi
outcome "$NAME has the firewall of the cluster"
