# ca-hash (Proxmox host): the SHA-256 of the cluster's CA as K3s writes it into its tokens (K10<hash>::…). Joining nodes
# check the server against it before they send a credential. Argument: TIMEOUT (s). Input: CLUSTER_ID.

need_server "$TIMEOUT"
hash=$(pct exec "$SERVER" -- sed -n 's/^K10\([0-9a-f]\{64\}\)::server:.*/\1/p' /var/lib/rancher/k3s/server/token </dev/null)
[ -n "$hash" ] || fail "the server's token file has no CA hash" "pct exec $SERVER -- ls -l /var/lib/rancher/k3s/server"
outcome "$hash"
