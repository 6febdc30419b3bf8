# kubeconfig (Proxmox host): answers the server's kubeconfig, a secret. Arguments: TIMEOUT (s), REPAIRS (a new
# number reads it again). Input: CLUSTER_ID.

need_server "$TIMEOUT"
guest_exec "$SERVER" cat /etc/rancher/k3s/k3s.yaml >"$WORK/outcome"
[ -s "$WORK/outcome" ] || fail "the server has no /etc/rancher/k3s/k3s.yaml" "find the cause with $(guest_command "$SERVER" "journalctl -u k3s") on the Proxmox host, then pulumi up"
