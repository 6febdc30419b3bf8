# addons (Proxmox host): the state of storage (Longhorn), GitOps (Flux), monitoring (Prometheus) and the ingress (Traefik).
# Changes nothing. Argument: MESH ("VMID NAME ADDRESS ROLE" of the plan's nodes, one per line). Input: CLUSTER_ID. Files:
# node-checks.sh, node-ports.sh. Answers one fact per line, its words separated by tabs; nothing if no server answers:
#   addon longhorn|flux|prometheus|ingress there|absent|unknown     unknown: the API did not answer; then it has no other lines
#   longhorn-node NAMESPACE NAME SPEC CONDITIONS DISK_STATUS        the last three are JSON or empty
#   longhorn-volumes ALL DEGRADED FAULTED                           how many
#   longhorn-volume NAMESPACE NAME degraded|faulted                 the first few of them
#   flux KIND NAMESPACE NAME MANAGED_BY GENERATION SUSPENDED OBSERVED CONDITIONS
#   prometheus NAMESPACE NAME REPLICAS SHARDS AVAILABLE CONDITIONS
#   targets NAMESPACE NAME JSON                                     the answer of Prometheus itself; no line if it did not answer
#   ingress NAMESPACE NAME PORTS                                    Traefik's Service with node ports, separated by blanks
#   port NODE PORT answers|silent                                   of each node that could be tested
# Texts that a controller writes are JSON, so they cannot contain a tab or the end of a line.

GUEST_BOUND=30
KUBECTL_BOUND=20
TAB=$(printf '\t')
KINDS='nodes.longhorn.io prometheuses.monitoring.coreos.com kustomizations.kustomize.toolkit.fluxcd.io gitrepositories.source.toolkit.fluxcd.io
  ocirepositories.source.toolkit.fluxcd.io buckets.source.toolkit.fluxcd.io helmrepositories.source.toolkit.fluxcd.io helmreleases.helm.toolkit.fluxcd.io'
# So many objects of a kind are named at most.
SHOWN=10

# kinds_of PATTERN: the kinds of the API that match, separated by commas.
kinds_of() { grep -E "$1" "$WORK/kinds" | paste -s -d , -; }

# list_all KIND FIELDS: the fields of all objects of these kinds, one object per line.
list_all() { kubectl get "$1" -A -o "jsonpath={range .items[*]}$2{\"\\n\"}{end}"; }

longhorn() {
  [ -n "$(kinds_of '^nodes[.]longhorn')" ] || return 0
  list_all nodes.longhorn.io 'longhorn-node{"\t"}{.metadata.namespace}{"\t"}{.metadata.name}{"\t"}{.spec}{"\t"}{.status.conditions}{"\t"}{.status.diskStatus}' &&
    list_all volumes.longhorn.io '{.metadata.namespace}{"\t"}{.metadata.name}{"\t"}{.status.robustness}' >"$WORK/volumes" || return 1
  awk -F '\t' -v shown="$SHOWN" '
    NF == 3 { all++ }
    NF == 3 && $3 ~ /^(degraded|faulted)$/ && ++unwell[$3] <= shown { print "longhorn-volume\t" $0 }
    END { printf "longhorn-volumes\t%d\t%d\t%d\n", all, unwell["degraded"], unwell["faulted"] }' "$WORK/volumes"
}

flux() {
  flux_kinds=$(kinds_of '[.]toolkit[.]fluxcd[.]io$')
  [ -n "$flux_kinds" ] || return 0
  list_all "$flux_kinds" 'flux{"\t"}{.kind}{"\t"}{.metadata.namespace}{"\t"}{.metadata.name}{"\t"}{.metadata.labels.app\.kubernetes\.io/managed-by}{"\t"}{.metadata.generation}{"\t"}{.spec.suspend}{"\t"}{.status.observedGeneration}{"\t"}{.status.conditions}'
}

# An expression of Prometheus: how many targets of each job are up (1) and down (0), and some of those that are down.
EXPRESSION="count_values%20by(job)(%22up%22%2Cup)%20or%20topk($SHOWN%2Cup%3D%3D0)"

prometheus() {
  [ -n "$(kinds_of '^prometheuses[.]')" ] || return 0
  list_all prometheuses.monitoring.coreos.com 'prometheus{"\t"}{.metadata.namespace}{"\t"}{.metadata.name}{"\t"}{.spec.replicas}{"\t"}{.spec.shards}{"\t"}{.status.availableReplicas}{"\t"}{.status.conditions}' &&
    list_all prometheuses.monitoring.coreos.com '{.metadata.namespace}{"\t"}{.metadata.name}{"\t"}{.status.availableReplicas}{"\t"}{.spec.web.tlsConfig}{"\t"}{.spec.routePrefix}' >"$WORK/prometheuses" || return 1
  awk -F '\t' '
    $1 !~ /^[a-z0-9-]+$/ || $2 !~ /^[a-z0-9][a-z0-9.-]*$/ || $3 !~ /^[1-9][0-9]*$/ || $5 !~ /^(\/[A-Za-z0-9_\/-]*)?$/ { next }
    { sub(/\/+$/, "", $5); print $1, $2, ($4 == "" ? "http" : "https"), $5 }' "$WORK/prometheuses" | head -n 3 >"$WORK/asked"
  while read -r of_namespace of_name scheme prefix; do targets "$of_namespace" "$of_name" "$scheme" "$prefix" </dev/null; done <"$WORK/asked"
}
# targets NAMESPACE NAME SCHEME PREFIX: the answer of the first pod that answers, through the proxy of the API.
targets() {
  for pod in 0 1; do
    said=$(KUBECTL_BOUND=12 kubectl get "--raw=/api/v1/namespaces/$1/pods/$3:prometheus-$2-$pod:9090/proxy$4/api/v1/query?query=$EXPRESSION" 2>/dev/null |
      head -c 65536 | tr -d '\000-\037')
    if [ -n "$said" ]; then
      printf 'targets\t%s\t%s\t%s\n' "$1" "$2" "$said"
      return 0
    fi
  done
}

# The node ports of a Service of type LoadBalancer belong to K3s' own Traefik, unless they are the ports of the add-ons.
ingress() {
  kubectl get services -A -l app.kubernetes.io/name=traefik -o 'jsonpath={range .items[*]}{.spec.type}{"\t"}{.metadata.namespace}{"\t"}{.metadata.name}{"\t"}{.spec.ports[?(@.protocol=="TCP")].nodePort}{"\n"}{end}' >"$WORK/services" || return 1
  awk -F '\t' '
    $2 !~ /^[a-z0-9-]+$/ || $3 !~ /^[a-z0-9-]+$/ || $4 !~ /^[0-9]+( [0-9]+)*$/ { next }
    $1 == "NodePort" || ($1 == "LoadBalancer" && " " $4 " " ~ / 30080 / && " " $4 " " ~ / 30443 /) { print $2 "\t" $3 "\t" $4 }' "$WORK/services" | head -n 1 >"$WORK/ingress"
  [ -s "$WORK/ingress" ] || return 0
  printf 'ingress\t%s\n' "$(cat "$WORK/ingress")"
  node_ports=$(cut -f 3 "$WORK/ingress" | tr ' ' '\n' | sort -un | head -n 4 | paste -s -d ' ' -)
  own=$(printf '%s\n' "$MESH" | awk -v vmid="$SERVER" '$1 == vmid { print $2 }')
  ask_ports "$SERVER" 60 "$own" || :
  # If possible, another node tests a node's ports: from the node itself, kube-proxy also reaches pods on other nodes.
  printf '%s\n' "$MESH" | awk -v vmid="$SERVER" '$1 != vmid { print $1, $2 }' | head -n 2 >"$WORK/others"
  [ -n "$own" ] || return 0
  while read -r asked_vmid asked_name; do
    if trusts "$asked_vmid" "$asked_name" && ask_ports "$asked_vmid" 20 "" "$own" </dev/null; then return 0; fi
  done <"$WORK/others"
  if [ ! -s "$WORK/others" ]; then ask_ports "$SERVER" 20 "" "$own" || :; fi
}
# ask_ports VMID SECONDS EXCEPT [ONLY]: tests from a guest which node ports answer, on all nodes of the plan but EXCEPT, or on ONLY.
# Answers 1 if the guest gave no valid answer.
ask_ports() {
  printf '%s\n' "$MESH" | awk -v except="$3" -v only="${4:-}" '$2 != except && (only == "" || $2 == only) { print $2, $3 }' >"$WORK/targets"
  {
    printf "NAME=''\nARCH=''\nPORTS='%s'\nTARGETS='%s'\n" "$node_ports" "$(cat "$WORK/targets")"
    cat "$WORK/node-checks.sh" "$WORK/node-ports.sh"
  } | GUEST_BOUND=$2 guest_feed "$1" sh -s 2>/dev/null | grep -xE '[a-z0-9-]{1,63} [0-9]{1,5} (answers|silent)' |
    awk 'from == "targets" { asked[$1] = 1; next } asked[$1] { print "port\t" $1 "\t" $2 "\t" $3 }' from=targets "$WORK/targets" from=guest - >"$WORK/ports"
  cat "$WORK/ports"
  [ -s "$WORK/ports" ]
}

# say_of ADDON: writes the facts of an add-on. It is there if it has at least one.
say_of() {
  if ! "$1" >"$WORK/of.$1" 2>/dev/null; then is=unknown; elif [ -s "$WORK/of.$1" ]; then is=there; else is=absent; fi
  printf 'addon\t%s\t%s\n' "$1" "$is" >"$WORK/said.$1"
  if [ "$is" = there ]; then cat "$WORK/of.$1" >>"$WORK/said.$1"; fi
}

find_server || exit 0
# shellcheck disable=SC2086 # several words
if kubectl get crd $KINDS --ignore-not-found -o name >"$WORK/crds"; then
  sed 's|.*/||' "$WORK/crds" | grep -xE '[a-z]+([.][a-z]+)+' >"$WORK/kinds" || :
  for addon in longhorn flux prometheus; do say_of "$addon" & done
else
  for addon in longhorn flux prometheus; do printf 'addon\t%s\tunknown\n' "$addon" >"$WORK/said.$addon"; done
fi
say_of ingress &
wait
cat "$WORK/said.longhorn" "$WORK/said.flux" "$WORK/said.prometheus" "$WORK/said.ingress" >"$WORK/outcome"
