# back (Proxmox host): after what disturbed it, the node takes part in the cluster again.
# Arguments: VMID, NAME, ROLE server|agent, AFTER (what disturbed it: "its reboot"), TIMEOUT (s). Input: CLUSTER_ID.

case $ROLE in server) unit=k3s ;; *) unit=k3s-agent ;; esac
need_machine
GUEST_BOUND=30
in_guest() { guest_exec "$VMID" "$@"; }
BEGAN=$(now)
in_time() { [ $(($(now) - BEGAN)) -lt "$TIMEOUT" ]; }

until in_guest test -S /run/systemd/private 2>/dev/null; do
  in_time || fail "$NAME ($VMID) has not come back after $AFTER" "pct status $VMID and pct start $VMID on the Proxmox host"
  sleep 0.5
done
if ! in_guest systemctl is-enabled -q "$unit" 2>/dev/null; then
  outcome "$NAME has no K3s yet"
  exit 0
fi
# The API calls a node Ready for some 40 s after its kubelet has gone, so the guest is asked first.
until in_guest systemctl is-active -q "$unit"; do
  in_time || fail "$unit on $NAME ($VMID) is not up $TIMEOUT s after $AFTER" "pct exec $VMID -- journalctl -u $unit on the Proxmox host"
  sleep 0.5
done
need_server "$TIMEOUT"
await_ready "$NAME" '*' 3 || fail "$NAME is not Ready $TIMEOUT s after $AFTER" "kubectl describe node $NAME says why"
outcome "$NAME is Ready again"
