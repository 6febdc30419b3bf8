# ca-hash (Proxmox host): the SHA-256 of the cluster's CA. Joining nodes check the server against it before they send a
# credential. Argument: TIMEOUT (s). Input: CLUSTER_ID.

need_server "$TIMEOUT"
ca_hash
outcome "$hash"
