# nixos-k3s (the node itself): gives K3s its tokens, and starts it with the system that host/nixos-keep.sh has kept.
# Arguments: ROLE server|agent, VERSION, NAME, ARCH amd64|arm64, CONFIG (config.yaml) and MODULE_SHA256 (the module of that system),
# REGISTRIES (registries.yaml without secrets), START_TIMEOUT (s), REPAIRS (a new number restarts K3s). Secrets: TOKEN, AGENT_TOKEN,
# REGISTRIES_YAML, REGISTRY_CAS, as in install-k3s.sh.
# Answers restarted, or unchanged if K3s was not restarted.

k3s_begins
check_node
[ "$(running_system)" = "$(built_system)" ] ||
  fail "$NAME does not run the system that was built for it" "pulumi up tries it again"
case $("$BIN" --version) in
  "k3s version $VERSION "*) ;;
  *) fail "$BIN says \"$("$BIN" --version | head -n 1)\", not $VERSION" "remove services.k3s.package from configuration.nix of the machine, then pulumi up" ;;
esac
install_secrets

# The inputs of the last good start, as in install-k3s.sh. Not the whole system: a new SSH key or firewall rule does not concern K3s.
inputs=$({
  readlink -f "$BIN"
  echo "$REPAIRS"
  registries_inputs
  cat "$ETC/config.yaml" "$ETC"/*token "$ETC"/config.yaml.d/*.yaml "/etc/systemd/system/$unit.service" 2>/dev/null
} | sha256sum | cut -d' ' -f1)
if systemctl is-active -q "$unit" && [ "$(cat "$stamp" 2>/dev/null || :)" = "$inputs" ]; then
  keep_good
  k3s_runs_on
  outcome unchanged
  exit 0
fi
