# ca-hash (Proxmox host): answers the SHA-256 of the cluster's CA. A joining node checks the server with it before it sends a
# credential. Argument: TIMEOUT (s). Input: CLUSTER_ID.

need_server "$TIMEOUT"
ca_hash
outcome "$hash"
