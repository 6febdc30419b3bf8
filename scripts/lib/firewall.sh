# The packet filter of the nodes. Runs on the Proxmox host, which reaches the guests without their network, so no rule can lock it out.
# Files in the folder: the rules of the last plan (plan.nft), the nodes of the plan and those that have left the plan but not the
# cluster (nodes, former: "VMID NAME ADDRESS ROLE", one per line), the rules for both (rules.nft), and what a guest needs to apply them.

KEPT_RULES=$CLUSTER_DIR/firewall
# Rules that no connection from outside has confirmed yet.
ON_TRIAL=$CLUSTER_DIR/firewall.trial
# After this time a guest goes back to its former rules. With the start of the unit, this is less than a minute.
TRIAL_SECONDS=55

# lock_mesh: waits until no other step changes the rules, and locks them until the end of this step.
lock_mesh() {
  exec 9>"$CLUSTER_DIR/firewall.lock"
  flock 9
}

# compose FOLDER: writes its rules.nft: the rules of the plan, and the addresses of nodes that have not left the cluster yet.
compose() {
  cp "$1/plan.nft" "$1/rules.nft.new"
  awk '{ printf "add element inet k3smesh nodes { %s }\nadd element inet k3smesh %ss { %s }\n", $3, $4, $3 }' "$1/former" >>"$1/rules.nft.new"
  mv -f "$1/rules.nft.new" "$1/rules.nft"
}

# in_mesh FOLDER: "VMID NAME" of all its nodes.
in_mesh() { cut -d' ' -f1,2 "$1/nodes" "$1/former" | sort -u; }

# tell FOLDER VMID NAME WORD [SECONDS]: runs guest-firewall.sh in the guest, with the rules of the folder. The last line is its answer,
# or absent, stopped or silent if it did not run.
tell() (
  folder=$1 vmid=$2 name=$3
  # A guest that hangs must not use up the minute of the others.
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

# tell_all FOLDER WORD [SECONDS] <NODES: tell for each "VMID NAME" of stdin, sixteen at a time. Their answers are in
# $WORK/told.NAME.
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

# who_said WORD: "VMID NAME" of the guests that answered it.
who_said() {
  while read -r told_vmid told_name; do
    case $(tail -n 1 "$WORK/told.$told_name") in "$1") echo "$told_vmid $told_name" ;; esac
  done <"$WORK/tell"
}
names_of() { cut -d' ' -f2 | tr '\n' ' ' | sed 's/ $//'; }

# refusals: why running guests refused the rules, for people. The text of a guest is shown without control characters.
# refusals_of <GUESTS: only for these guests, "VMID NAME" first in each line.
refusals() { refusals_of <"$WORK/tell"; }
refusals_of() {
  while read -r told_vmid told_name _; do
    if ! grep -q "^$told_vmid $told_name\( \|$\)" "$WORK/tell"; then continue; fi
    said=$(sed -n 's/^error: //p' "$WORK/told.$told_name" | tr -d '\000-\037\177' | cut -c1-200)
    then=$(sed -n 's/^next: //p' "$WORK/told.$told_name" | tr -d '\000-\037\177' | cut -c1-200)
    if [ -n "$said" ]; then printf '  - %s: %s (%s)\n' "$told_name" "$said" "$then"; fi
  done
}

# not_told: "VMID NAME" of the guests that did not get the rules. say_later <NODES: says when they get them.
not_told() {
  who_said stopped
  who_said silent
}
say_later() {
  later=$(names_of)
  if [ -n "$later" ]; then say "these nodes do not run, so they still have their former rules: $later. When they run again: pulumi up"; fi
}

# For a single node: the rules that the others already have.
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
  fail "$NAME ($VMID) did not apply the rules of the firewall" "check whether it runs ($(command_of "$VMID") status $VMID on the Proxmox host), then pulumi up"
}

# shut_out VMID NAME: the other nodes no longer accept connections from this node. Call it after the node has left the cluster, because
# until then they need it.
shut_out() {
  if [ ! -s "$KEPT_RULES/rules.nft" ]; then return 0; fi
  lock_mesh
  grep -v "^$1 $2 " "$KEPT_RULES/former" >"$WORK/former" || :
  if install_file 0600 "$WORK/former" "$KEPT_RULES/former"; then
    compose "$KEPT_RULES"
    in_mesh "$KEPT_RULES" >"$WORK/rest"
    tell_all "$KEPT_RULES" give <"$WORK/rest"
    say "the nodes no longer accept connections from $2"
    not_told | say_later
    refusals
  fi
}
