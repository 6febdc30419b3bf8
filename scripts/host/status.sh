# status (Proxmox host): what the cluster says of itself, a fact a line, its words separated by tabs. Changes nothing.
# Input: CLUSTER_ID. Answers:
#   server VMID NAME answers|silent          every server of the last plan, and every one that has not left yet
#   member NAME                              its disk holds the data of a member of etcd
#   certificate NAME admin|serving BASE64    as it stands in its file
#   through VMID                             the server that was asked for the rest; no such line where none answers
#   node NAME LABELS ANNOTATIONS SPEC NODEINFO ADDRESSES CONDITIONS    all but the name are JSON or empty
#   leaving NAME                             a removal of this program has cordoned it
# What a node may write of itself travels as JSON, in which no tab and no line end of its own can be.

GUEST_BOUND=10
KUBECTL_BOUND=30
TAB=$(printf '\t')

# shellcheck disable=SC2016 # the guest's values
FACTS='cd /var/lib/rancher/k3s/server || exit 0
if [ -s db/etcd/name ]; then echo member; fi
for each in admin:client-admin.crt serving:serving-kube-apiserver.crt; do
  file=tls/${each#*:}
  if [ -r "$file" ]; then echo "${each%%:*} $(sed "1d;/END CERT/,\$d" "$file" | tr -d "\n")"; fi
done'

# look_at VMID NAME: of its words only those of their form count, and all of them are about itself.
look_at() {
  if api_answers "$1" "$2"; then api=answers; else api=silent; fi
  printf 'server\t%s\t%s\t%s\n' "$1" "$2" "$api"
  trusts "$1" "$2" || return 0
  guest_exec "$1" sh -c "$FACTS" 2>/dev/null |
    sed -n "s/^member\$/member$TAB$2/p; s,^\(admin\|serving\) \([A-Za-z0-9+/]*=*\)\$,certificate$TAB$2$TAB\1$TAB\2,p"
}

# All at the same time, as each that hangs takes its bound.
all_servers >"$WORK/all-servers"
while read -r vmid name; do
  look_at "$vmid" "$name" >"$WORK/server.$vmid" &
done <"$WORK/all-servers"
wait
cat "$WORK"/server.* >"$WORK/outcome"

SERVER=$(awk -F '\t' '$1 == "server" && $4 == "answers" { print $2; exit }' "$WORK/outcome")
[ -n "$SERVER" ] || exit 0
{
  printf 'through\t%s\n' "$SERVER"
  kubectl get nodes -o 'jsonpath={range .items[*]}node{"\t"}{.metadata.name}{"\t"}{.metadata.labels}{"\t"}{.metadata.annotations}{"\t"}{.spec}{"\t"}{.status.nodeInfo}{"\t"}{.status.addresses}{"\t"}{.status.conditions}{"\n"}{end}' ||
    fail "the API of the server $SERVER did not list its Nodes" "pct exec $SERVER -- journalctl -u k3s on the Proxmox host says why"
  for note in "$LEAVING"/*; do
    if [ -e "$note" ]; then printf 'leaving\t%s\n' "${note##*/}"; fi
  done
} >>"$WORK/outcome"
