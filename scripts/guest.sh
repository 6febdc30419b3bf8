# Whose guest is it: on the Proxmox host, a guest is ours when the main section of its configuration carries our mark.

# guest_conf: the configuration file of $VMID anywhere in the Proxmox cluster; fails when there is none.
guest_conf() {
  for file in /etc/pve/nodes/*/lxc/"$VMID".conf /etc/pve/nodes/*/qemu-server/"$VMID".conf; do
    if [ -e "$file" ]; then
      printf '%s\n' "$file"
      return 0
    fi
  done
  return 1
}

# main_section FILE: without snapshots and pending changes.
main_section() { sed '/^\[/,$d' "$1"; }

# is_ours FILE
is_ours() { main_section "$1" | grep -q "^#.*$MARK\$"; }

# guest_name FILE: what a person calls it.
guest_name() { main_section "$1" | sed -n 's/^\(hostname\|name\): *//p' | head -n 1; }
