# host-key (Proxmox host): answers the guest's ed25519 host key, read through the host, so that the first SSH
# connection to the node is already checked. Arguments: VMID, NAME. Input: MARK.

need_machine
# read_key: the key alone; what else a guest may have written there is no key.
read_key() { guest_exec "$VMID" cat /etc/ssh/ssh_host_ed25519_key.pub 2>/dev/null | sed -n 's|^\(ssh-ed25519 [A-Za-z0-9+/]*=*\)\( .*\)\{0,1\}$|\1|p' | head -n 1; }
began=$(now)
until key=$(read_key) && [ -n "$key" ]; do
  still_runs "its host key was read"
  [ $(($(now) - began)) -lt 60 ] || fail "$NAME ($VMID) has no ed25519 host key" "pct exec $VMID -- ssh-keygen -A on the Proxmox host"
  sleep 0.2
done
outcome "$key"
