# status (Proxmox host): the state of the cluster, one fact per line, its words separated by tabs. Changes nothing in the cluster.
# Argument: RUN (how many nodes may be away at a time, and the names of the nodes in the plan; empty outside of an `up`), kept for
# the removal script (host/leave.sh). Input: CLUSTER_ID. Answers:
#   server VMID NAME answers|silent          every server of the last plan, and every one that has not left yet
#   member NAME                              its disk holds the data of a member of etcd
#   certificate NAME admin|serving BASE64    the text of its file
#   k3s NAME runs|stopped                    of each guest of ours that runs and has K3s; none for one that starts or fails
#   firewall NAME                            it runs without the last rules of its firewall
#   through VMID                             the server that was asked for the rest; no such line if none answers
#   node NAME LABELS ANNOTATIONS SPEC NODEINFO ADDRESSES CONDITIONS    all but the name are JSON or empty
#   leaving NAME                             this program has begun to remove it: it is cordoned, or Longhorn moves its replicas
# Values that a node itself may write are JSON, so they cannot contain a tab or the end of a line.

GUEST_BOUND=10
KUBECTL_BOUND=30
TAB=$(printf '\t')

if [ -n "$RUN" ]; then
  printf '%s\n' "$RUN" >"$WORK/run"
  install_file 0600 "$WORK/run" "$CLUSTER_DIR/run" || :
fi

# shellcheck disable=SC2016 # the guest's values
K3S='state=stopped
for unit in k3s k3s-agent; do
  case $(systemctl is-active $unit) in
    active) state=runs ;;
    inactive | failed | unknown) ;;
    *) [ $state = runs ] || state=changing ;;
  esac
done
case $(systemctl is-system-running) in initializing | starting | stopping) state=changing ;; esac
if [ -e /var/lib/proxmox-k3s/started ]; then echo "k3s $state"; fi'
# shellcheck disable=SC2016
FACTS='cd /var/lib/rancher/k3s/server || exit 0
if [ -s db/etcd/name ]; then echo member; fi
for each in admin:client-admin.crt serving:serving-kube-apiserver.crt; do
  file=tls/${each#*:}
  if [ -r "$file" ]; then echo "${each%%:*} $(sed "1d;/END CERT/,\$d" "$file" | tr -d "\n")"; fi
done'

# Empty if the program manages no firewall on the nodes.
WANTED=
if [ -s "$KEPT_RULES/rules.nft" ]; then WANTED=$(sha256sum <"$KEPT_RULES/rules.nft" | cut -d' ' -f1); fi
# shellcheck disable=SC2016
FIREWALL='if nft list table inet k3smesh >/dev/null 2>&1; then sum=$(sha256sum /etc/k3smesh/rules.nft | cut -d" " -f1); fi
if [ -e /var/lib/proxmox-k3s/started ]; then echo "firewall ${sum:-none}"; fi'

# look_at VMID NAME [FACTS]: the facts of a guest. Lines of another form are dropped, and a guest can only report about itself.
look_at() {
  trusts "$1" "$2" || return 0
  guest_exec "$1" sh -c "$K3S
${WANTED:+$FIREWALL}
${3:-}" 2>/dev/null |
    sed -n "${WANTED:+/^firewall $WANTED\$/d; s/^firewall [0-9a-f]*\(none\)*\$/firewall$TAB$2/p; }s/^k3s \(runs\|stopped\)\$/k3s$TAB$2$TAB\1/p; ${3:+s/^member\$/member$TAB$2/p; s,^\(admin\|serving\) \([A-Za-z0-9+/]*=*\)\$,certificate$TAB$2$TAB\1$TAB\2,p}"
}
look_at_server() {
  if api_answers "$1" "$2"; then api=answers; else api=silent; fi
  printf 'server\t%s\t%s\t%s\n' "$1" "$2" "$api"
  look_at "$1" "$2" "$FACTS"
}

list_guests
ask_all look_at_server look_at >"$WORK/outcome"

SERVER=$(awk -F '\t' '$1 == "server" && $4 == "answers" { print $2; exit }' "$WORK/outcome")
[ -n "$SERVER" ] || exit 0
{
  printf 'through\t%s\n' "$SERVER"
  kubectl get nodes -o 'jsonpath={range .items[*]}node{"\t"}{.metadata.name}{"\t"}{.metadata.labels}{"\t"}{.metadata.annotations}{"\t"}{.spec}{"\t"}{.status.nodeInfo}{"\t"}{.status.addresses}{"\t"}{.status.conditions}{"\n"}{end}' ||
    fail "the API of the server $SERVER did not list its Nodes" "$(guest_command "$SERVER" "journalctl -u k3s") on the Proxmox host says why"
  for note in "$LEAVING"/* "$CLUSTER_DIR"/evicting/*.disks; do
    if [ -e "$note" ]; then
      left=${note##*/}
      printf 'leaving\t%s\n' "${left%.disks}"
    fi
  done | sort -u
} >>"$WORK/outcome"
