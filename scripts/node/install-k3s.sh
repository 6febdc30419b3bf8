# install-k3s (the node itself): installs the K3s binary, its configuration and its unit, and starts K3s with a time limit.
# Arguments: ROLE server|agent, VERSION, NAME, ARCH amd64|arm64, FROM (folder with the release's files), IMAGES yes|no,
# CONFIG (config.yaml), REGISTRIES (registries.yaml without secrets, for the state), NETWORKS (of pods and services), START_TIMEOUT (s),
# REPAIRS (a new number restarts K3s). Inputs: SHA256, IMAGES_SHA256.
# Secrets: TOKEN (server: the server token; agent: the agent's token in K10 form), AGENT_TOKEN (server only),
# REGISTRIES_YAML and REGISTRY_CAS (node/registries.sh).
# Files: k3s.service, k3s-agent.service, zfs-snapshotters. Answers restarted, or unchanged if K3s was not restarted.

k3s_begins
check_node
install_release
install_settings
for tool in kubectl crictl ctr; do
  [ -e "/usr/local/bin/$tool" ] || command -v "$tool" >/dev/null || ln -s k3s "/usr/local/bin/$tool"
done
if systemctl is-enabled -q "$other" 2>/dev/null; then systemctl disable --now "$other"; fi
# No reload: systemd has just read the unit.
systemctl is-enabled -q "$unit" 2>/dev/null || systemctl enable -q --no-reload "$unit"

# Compare with the inputs of the last good start: if a run was interrupted between a change and the restart, K3s must still restart.
inputs=$(inputs_sum)
if systemctl is-active -q "$unit" && [ "$(cat "$stamp" 2>/dev/null || :)" = "$inputs" ]; then
  keep_good
  k3s_runs_on
  outcome unchanged
  exit 0
fi
