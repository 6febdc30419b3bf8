# rules-trial (Proxmox host): like host/firewall-trial.sh, for one new node before its K3s starts, with the rules that the others
# already have. Arguments: VMID, NAME, ADDRESS. Input: CLUSTER_ID. Answers "NAME ADDRESS" if it has rules on trial.

need_machine
need_rules
tell_one try "$TRIAL_SECONDS"
refused=$(refusals)
[ -z "$refused" ] || fail "the node refuses the rules of the firewall:
$refused" "fix this, then pulumi up"
case $SAID in
  tried) outcome "$NAME $ADDRESS" ;;
  unchanged) ;;
  *) fail_silent ;;
esac
