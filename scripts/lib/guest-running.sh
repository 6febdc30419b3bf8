# Does the guest run: on the Proxmox host, of a guest ($VMID, $NAME) that a step has to do with.

running() { [ "$(pct status "$VMID" 2>/dev/null)" = "status: running" ]; }

# still_runs WHILE [NEXT]: ends the step where the guest has ended. WHILE is what went on meanwhile, NEXT what starts it.
still_runs() {
  running || fail "$NAME ($VMID) ended by itself while $1" "pct start $VMID --debug 1 on the Proxmox host says why; then ${2:-pulumi up --refresh}"
}

# still_runs_after_failure WHILE [NEXT]: the same once something in the guest has failed. A guest that ends takes its
# services first, and is called running for some moments more.
still_runs_after_failure() {
  failed=$(now)
  while [ $(($(now) - failed)) -lt 5 ]; do
    still_runs "$@"
    sleep 0.2
  done
}
