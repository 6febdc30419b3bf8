# Data that only one node has. Runs on the Proxmox host, through a server that answers ($SERVER).

# list_local_data NAME: the claims whose volume no other node can reach, with the pods that use them, for people, one per line;
# nothing if there are none. Volumes of local-path, hostPath, local, or of a driver for the node's own disk have a node affinity.
# Unclaimed volumes have no data. Fails if the API does not answer.
list_local_data() {
  kubectl get persistentvolumes -o 'jsonpath={range .items[*]}{.metadata.name} {.spec.claimRef.namespace}/{.spec.claimRef.name} {.spec.capacity.storage}{range .spec.nodeAffinity.required.nodeSelectorTerms[*]}|{range .matchExpressions[*]} {.operator}:{.values[*]};{end}{end}{"\n"}{end}' >"$WORK/volumes" || return 1
  awk -F'|' -v place=" In:$1;" '
    { split($1, word, " "); alone = NF > 1 && word[2] != "/" }
    { for (term = 2; term <= NF; term++) if (index($term, place) == 0) alone = 0 }
    alone { print word[2], word[3], word[1] }
  ' "$WORK/volumes" >"$WORK/claims"
  [ -s "$WORK/claims" ] || return 0
  kubectl get pods -A -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{range .spec.volumes[*]} {.persistentVolumeClaim.claimName}{end}{"\n"}{end}' >"$WORK/pods" || return 1
  awk '
    list == "pods" { for (i = 2; i <= NF; i++) users[substr($1, 1, index($1, "/")) $i] = users[substr($1, 1, index($1, "/")) $i] " " $1 }
    list == "claims" { print "  - claim " $1 " (" $2 ", volume " $3 ")" (users[$1] == "" ? "" : ", used by" users[$1]) }
  ' list=pods "$WORK/pods" list=claims "$WORK/claims"
}
