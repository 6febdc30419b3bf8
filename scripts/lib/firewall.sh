# The packet filter of the nodes, on the Proxmox host. It reaches the guests without their network, so no rule can keep it out.
# Kept here: the rules of the last plan (plan.nft), its nodes and those that have left the plan but not the cluster (nodes, former:
# "VMID NAME ADDRESS ROLE", one per line), the rules of both (rules.nft), and what a guest needs to apply them.

KEPT_RULES=$CLUSTER_DIR/firewall
# Rules that no connection from outside has confirmed yet.
ON_TRIAL=$CLUSTER_DIR/firewall.trial
# A guest goes back to its former rules after this time: within a minute, with the start of a unit.
TRIAL_SECONDS=55

# lock_mesh: waits for whoever changes the rules; until the end of the step.
lock_mesh() {
  exec 9>"$CLUSTER_DIR/firewall.lock"
  flock 9
}

# compose FOLDER: rules.nft of it: the plan's, and the addresses of nodes that have not left yet.
compose() {
  cp "$1/plan.nft" "$1/rules.nft.new"
  awk '{ printf "add element inet k3smesh nodes { %s }\nadd element inet k3smesh %ss { %s }\n", $3, $4, $3 }' "$1/former" >>"$1/rules.nft.new"
  mv -f "$1/rules.nft.new" "$1/rules.nft"
}

# in_mesh FOLDER: "VMID NAME" of all its nodes.
in_mesh() { cut -d' ' -f1,2 "$1/nodes" "$1/former" | sort -u; }

# tell FOLDER VMID NAME WORD [SECONDS]: guest-firewall.sh in the guest, with the rules of the folder. Answers its word, or why not.
tell() (
  folder=$1 vmid=$2 name=$3
  # One that hangs must not use up the minute of the others.
  GUEST_BOUND=20
  shift 3
  if ! trusts "$vmid" "$name"; then
    echo absent
  elif ! guest_runs "$vmid"; then
    echo stopped
  else
    # shellcheck disable=SC2016 # the guest's values
    tar -C "$folder" -cf - rules.nft guest-firewall.sh k3smesh.service |
      guest_feed "$vmid" sh -c 'mkdir -p /run/k3smesh && tar -C /run/k3smesh -xf - && sh /run/k3smesh/guest-firewall.sh "$@"' sh "$@" ||
      echo silent
  fi
)

# tell_all FOLDER WORD [SECONDS] <NODES: the same for each "VMID NAME" of stdin, sixteen at a time. Their answers are $WORK/told.NAME.
tell_all() {
  told_folder=$1
  shift
  cat >"$WORK/tell"
  told_count=0
  while read -r told_vmid told_name; do
    tell "$told_folder" "$told_vmid" "$told_name" "$@" >"$WORK/told.$told_name" 2>&1 </dev/null &
    told_count=$((told_count + 1))
    if [ $((told_count % 16)) -eq 0 ]; then wait; fi
  done <"$WORK/tell"
  wait
}

# who_said WORD: "VMID NAME" of those who answered it.
who_said() {
  while read -r told_vmid told_name; do
    case $(tail -n 1 "$WORK/told.$told_name") in "$1") echo "$told_vmid $told_name" ;; esac
  done <"$WORK/tell"
}
names_of() { cut -d' ' -f2 | tr '\n' ' ' | sed 's/ $//'; }

# refusals: what guests that run have against the rules, for people. What a guest says is shown without control characters.
# refusals_of <GUESTS: of these guests alone, "VMID NAME" first in each line.
refusals() { refusals_of <"$WORK/tell"; }
refusals_of() {
  while read -r told_vmid told_name _; do
    if ! grep -q "^$told_vmid $told_name\( \|$\)" "$WORK/tell"; then continue; fi
    said=$(sed -n 's/^error: //p' "$WORK/told.$told_name" | tr -d '\000-\037\177' | cut -c1-200)
    then=$(sed -n 's/^next: //p' "$WORK/told.$told_name" | tr -d '\000-\037\177' | cut -c1-200)
    if [ -n "$said" ]; then printf '  - %s: %s (%s)\n' "$told_name" "$said" "$then"; fi
  done
}

# not_told: "VMID NAME" of the guests that did not get the rules. say_later <NODES: says when they do.
not_told() {
  who_said stopped
  who_said silent
}
say_later() {
  later=$(names_of)
  if [ -n "$later" ]; then say "not running, so with their former rules: $later. When they run again: pulumi up"; fi
}

# For one node alone: the rules that the others have already.
need_rules() {
  [ -s "$KEPT_RULES/rules.nft" ] || fail "the rules of the nodes are missing on the Proxmox host" "pulumi up --replace '**-firewall', which writes them again"
}
tell_one() { # tell_one WORD [SECONDS]: SAID is its answer
  echo "$VMID $NAME" >"$WORK/one"
  tell_all "$KEPT_RULES" "$@" <"$WORK/one"
  SAID=$(tail -n 1 "$WORK/told.$NAME")
}
fail_silent() {
  tr -d '\000-\010\013-\037\177' <"$WORK/told.$NAME" | tail -n 20
  fail "$NAME ($VMID) did not apply the rules of the firewall" "see whether it runs ($(command_of "$VMID") status $VMID on the Proxmox host), then pulumi up"
}

# shut_out VMID NAME: the nodes do not let this one in any more. Called when it has left the cluster: until then they needed it.
shut_out() {
  if [ ! -s "$KEPT_RULES/rules.nft" ]; then return 0; fi
  lock_mesh
  grep -v "^$1 $2 " "$KEPT_RULES/former" >"$WORK/former" || :
  if install_file 0600 "$WORK/former" "$KEPT_RULES/former"; then
    compose "$KEPT_RULES"
    in_mesh "$KEPT_RULES" >"$WORK/rest"
    tell_all "$KEPT_RULES" give <"$WORK/rest"
    say "the nodes do not let $2 in any more"
    not_told | say_later
    refusals
  fi
}
