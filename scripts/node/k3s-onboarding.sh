# The report of the steps that bring K3s to a node, whatever its system is. Inputs: VERSION; unit, by the part for the system.

# The sum of all that the last good start of K3s was started with.
stamp=/var/lib/proxmox-k3s/started
# Another start of a node that has joined before is no onboarding.
joined=
if [ -e "$stamp" ]; then joined=yes; fi

k3s_begins() {
  doing k3s_installed "installing K3s $VERSION"
  for step in packages_installed iscsi_enabled; do
    [ -n "$(state_of "$step")" ] || progress "$step" skipped "the pool asks for none"
  done
}
k3s_starts() {
  progress k3s_installed "done" "K3s $VERSION"
  doing cluster_joined "starting $unit"
}
k3s_runs_on() { progress k3s_installed "done" "K3s $VERSION" cluster_joined "done" "$unit runs"; }
k3s_runs() {
  if [ -n "$joined" ]; then
    progress cluster_joined "done" "$unit runs"
  else
    progress cluster_joined running "$unit runs; waiting for its Node to be Ready"
  fi
}
