# guests (Proxmox host): lists the guests that have our mark, and those that this cluster has in another state, one per line:
#   VMID PVE_NODE lxc|qemu-server LOCK|- CREATION|- unfinished|another-state|- NAME
# Changes nothing. Input: MARK.

for conf in /etc/pve/nodes/*/lxc/*.conf /etc/pve/nodes/*/qemu-server/*.conf; do
  await_birth "$conf"
  [ -e "$conf" ] || continue
  place=${conf#/etc/pve/nodes/} # pve/lxc/103.conf
  kind=${place#*/}
  file=${place##*/}
  lock=$(lock_of "$conf")
  creation=$(creation_of "$conf")
  if ! is_ours "$conf"; then
    [ -n "$(other_state "$conf")" ] || continue
    state=another-state
  elif is_unfinished "$conf"; then
    state=unfinished
  else
    state=-
  fi
  echo "${file%.conf} ${place%%/*} ${kind%%/*} ${lock:--} ${creation:--} $state $(guest_name "$conf")"
done >"$WORK/outcome"
