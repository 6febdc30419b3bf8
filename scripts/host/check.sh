# check (Proxmox host): runs the checks of the nodes in our guests. Changes nothing. Arguments: PHASE before|after, ARCH,
# NETWORKS (of pods and services), URL (the server that a new node joins). Input: CLUSTER_ID. Files: node-checks.sh, cluster-checks.sh.
# Answers one finding per line, its words separated by tabs: NODE LEVEL CHECK SEEN REMEDY; NODE is - for the cluster.

GUEST_BOUND=60

# of_node NAME: the lines of a node that have the form of a finding; others are dropped.
of_node() {
  tab=$(printf '\t')
  said=$(LC_ALL=C tr -d '\000-\010\013-\037\177' | grep -E "^(ok|warn|fail)${tab}[a-z-]+${tab}[^$tab]+${tab}[^$tab]*\$" || :)
  if [ -n "$said" ]; then printf '%s\n' "$said" | sed "s/^/$1$tab/"; else
    printf '%s\twarn\tnode\tit did not answer\tstart its guest, then run the check again\n' "$1"
  fi
}
given() { # given NAME: the values of a guest's script
  printf "NAME='%s'\nARCH='%s'\nNETWORKS='%s'\nURL='%s'\nPEERS='%s'\nSERVICE='%s'\nDNS='%s'\n" "$1" "$ARCH" "$NETWORKS" "$URL" \
    "$(grep -v "^$1 " "$WORK/peers" || :)" "$SERVICE" "$DNS"
}
look_before() {
  trusts "$1" "$2" || return 0
  { given "$2"; cat "$WORK/node-checks.sh"; echo node_checks; } | guest_feed "$1" sh -s 2>/dev/null | of_node "$2"
}
look_after() {
  trusts "$1" "$2" || return 0
  { given "$2"; cat "$WORK/node-checks.sh" "$WORK/cluster-checks.sh"; } | guest_feed "$1" sh -s 2>/dev/null | of_node "$2"
}

# answer_to ARGUMENT…: kubectl's answer. If there is none, it is noted: that does not mean that the cluster has no such object.
answer_to() { kubectl "$@" 2>/dev/null || : >"$WORK/unanswered"; }

# list_pods: "NODE ADDRESS" of one pod on each node that has any in the pod network.
list_pods() {
  answer_to get pods -A -o 'jsonpath={range .items[*]}{.spec.nodeName} {.status.podIP} {.status.phase} {.spec.hostNetwork}{"\n"}{end}' |
    awk '$3 == "Running" && $4 != "true" && !listed[$1]++ { print $1, $2 }' | grep -xE '[a-z0-9.-]+ [0-9]{1,3}([.][0-9]{1,3}){3}' || :
}
service() { answer_to -n "$1" get service "$2" --ignore-not-found -o 'jsonpath={.spec.clusterIP}' | grep -xE '[0-9]{1,3}([.][0-9]{1,3}){3}' || :; }

SERVICE='' DNS=''
: >"$WORK/peers"
list_guests
if [ "$PHASE" = before ]; then
  ask_all look_before look_before >"$WORK/outcome"
  exit 0
fi

if ! find_server; then
  printf -- '-\tfail\tservers\tno server of the cluster answers\t%s\n' "$SEE_SERVERS" >"$WORK/outcome"
  exit 0
fi
SERVICE=$(service default kubernetes)
DNS=$(service kube-system kube-dns)
list_pods >"$WORK/peers"
answer_to -n kube-system get pods --no-headers >"$WORK/system"
{
  if [ -e "$WORK/unanswered" ]; then
    printf -- '-\twarn\tservers\tthe API did not answer every question, so not everything was checked\t%s\n' "npx proxmox-k3s status shows how the servers are"
  else
    awk '
    NF && $3 != "Completed" { all++; split($2, n, "/"); if (n[1] != n[2] && $1 ~ /^[a-z0-9.-]+$/) broken = broken " " $1 }
    END {
      if (broken == "") printf "-\tok\tkube-system\t%d pods, all ready\t\n", all
      else printf "-\tfail\tkube-system\tthese pods are not ready:%s\tkubectl -n kube-system describe pod NAME says why\n", broken
    }' "$WORK/system"
  fi
  ask_all look_after look_after
} >"$WORK/outcome"
