# host-key (Proxmox host): answers the guest's ed25519 host key, read through the host, so that the first SSH
# connection to the node is already checked. Arguments: VMID, NAME.

began=$(now)
until key=$(pct exec "$VMID" -- cat /etc/ssh/ssh_host_ed25519_key.pub 2>/dev/null); do
  still_runs "its host key was read"
  [ $(($(now) - began)) -lt 60 ] || fail "$NAME ($VMID) has no ed25519 host key" "pct exec $VMID -- ssh-keygen -A on the Proxmox host"
  sleep 0.2
done
outcome "$(printf '%s' "$key" | cut -d' ' -f1,2)"
