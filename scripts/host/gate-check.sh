# gate-check (Proxmox host): answers what it was asked with. It shows that the key's forced command on the host runs scripts
# and brings their answers back, before anything is built on that. Changes nothing. Argument: NONCE.

outcome "$NONCE"
