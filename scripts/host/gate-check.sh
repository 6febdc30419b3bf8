# gate-check (Proxmox host): answers the random number that it was given. This proves that the key's forced command on the host
# runs scripts and returns their answers. Changes nothing. Argument: NONCE.

outcome "$NONCE"
