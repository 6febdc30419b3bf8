# guests (Proxmox host): lists the guests that have our mark, and those that this cluster has in another state, one per line:
#   VMID PVE_NODE lxc|qemu-server LOCK|- CREATION|- unfinished|begun|disks|another-state|- NAME|-
# begun: its creation began here and it has no name and no mark yet; disks: it keeps the further disks of a node.
# Changes nothing. Input: MARK.

confs | while read -r conf; do
  await_birth "$conf"
  [ -e "$conf" ] || continue
  lock=$(lock_of "$conf")
  name=$(guest_name "$conf")
  creation=$(creation_of "$conf")
  state=-
  if is_begun "$conf"; then
    state=begun
  elif ! is_ours "$conf"; then
    [ -n "$(other_state "$conf")" ] || continue
    state=another-state
  elif is_unfinished "$conf"; then
    state=unfinished
  elif [ -n "$(disks_of "$conf")" ]; then
    state=disks
  fi
  echo "$(vmid_of "$conf") $(pve_node_of "$conf") $(kind_of "$conf") ${lock:--} ${creation:--} $state ${name:--}"
done >"$WORK/outcome"
