# back (Proxmox host): waits until the node is Ready again after a change.
# Arguments: VMID, NAME, ROLE server|agent, AFTER (the change: "its reboot"), TIMEOUT (s). Input: CLUSTER_ID.

case $ROLE in server) unit=k3s ;; *) unit=k3s-agent ;; esac
# A creation that failed half-way continues as a change of the machine.
if begun=$(guest_conf) && is_unfinished "$begun"; then
  outcome "$NAME has no K3s yet"
  exit 0
fi
need_machine
GUEST_BOUND=30
in_guest() { guest_exec "$VMID" "$@"; }
BEGAN=$(now)
in_time() { [ $(($(now) - BEGAN)) -lt "$TIMEOUT" ]; }

until in_guest test -S /run/systemd/private 2>/dev/null; do
  in_time || fail "$NAME ($VMID) does not run $TIMEOUT s after $AFTER" "check it on the Proxmox host ($(command_of "$VMID") status $VMID, $(command_of "$VMID") start $VMID), then pulumi up"
  sleep 0.5
done
if ! in_guest systemctl is-enabled -q "$unit" 2>/dev/null; then
  outcome "$NAME has no K3s yet"
  exit 0
fi
# The API still calls a node Ready for about 40 s after its kubelet has stopped, so check in the guest first.
until in_guest systemctl is-active -q "$unit"; do
  in_time || fail "$unit on $NAME ($VMID) does not run $TIMEOUT s after $AFTER" "find the cause with $(guest_command "$VMID" "journalctl -u $unit") on the Proxmox host, then pulumi up"
  sleep 0.5
done
need_server "$TIMEOUT"
await_ready "$NAME" '*' 3 || fail "$NAME is not Ready $TIMEOUT s after $AFTER" "find the cause with kubectl describe node $NAME, then pulumi up"
outcome "$NAME is Ready again"
