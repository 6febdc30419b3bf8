# gate-check (Proxmox host): answers the random number that it was given. This proves that the key's forced command on the host
# runs scripts and returns their answers. Arguments: NONCE, RUN (the cluster's id, how many nodes may be away at a time, and the
# names of the nodes in the plan; empty outside of an `up`). The removal script reads the run (host/leave.sh).

if [ -n "$RUN" ] && [ -d "/var/lib/proxmox-k3s/${RUN%% *}" ]; then
  printf '%s\n' "$RUN" >"$WORK/run"
  install_file 0600 "$WORK/run" "/var/lib/proxmox-k3s/${RUN%% *}/run" || :
fi

outcome "$NONCE"
