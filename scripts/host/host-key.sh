# host-key (Proxmox host): answers the guest's ed25519 host key. It is read through the host, so that even the first SSH
# connection to the node can be verified. Arguments: VMID, NAME. Input: MARK.

need_machine
# read_key: only the key; other text in the file is ignored.
read_key() { guest_exec "$VMID" cat /etc/ssh/ssh_host_ed25519_key.pub 2>/dev/null | sed -n 's|^\(ssh-ed25519 [A-Za-z0-9+/]*=*\)\( .*\)\{0,1\}$|\1|p' | head -n 1; }
began=$(now)
until key=$(read_key) && [ -n "$key" ]; do
  still_runs "its host key was read"
  [ $(($(now) - began)) -lt 60 ] || fail "$NAME ($VMID) has no ed25519 host key" "create it with $(guest_command "$VMID" "ssh-keygen -A") on the Proxmox host, then pulumi up"
  sleep 0.2
done
outcome "$key"
