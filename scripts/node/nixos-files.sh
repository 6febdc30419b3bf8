# K3s on a machine with NixOS: its unit and options come from the system (plan/render/nixosModule.ts). Its tokens are outside of the
# Nix store, which everybody may read. Runs on the node itself.

unit=k3s

# The system of the last good start. A link in this folder keeps Nix from removing it.
GOOD=/nix/var/nix/gcroots/proxmox-k3s
# There is no former binary: the binary is part of the system.
FORMER=/nonexistent
# What a failed start goes back to. The cause may be a version or an option, so the hint of the cause says what to do.
HAD="the system of its last good start" HAD_NEXT=
keep_good() {
  ln -sfn "$(running_system)" "$GOOD"
  keep_registries
}
# The options are part of the system.
take_back_config() { take_back_registries; }
# take_back: switches to the system of the last good start, if another one runs.
take_back() {
  [ -e "$GOOD" ] && [ "$(readlink -f "$GOOD")" != "$(running_system)" ] || return 1
  system=$(readlink -f "$GOOD")
  say "going back to the system of the last good start"
  nix-env --profile "$PROFILE" --set "$system" || return 1
  # A switch fails if any unit has failed, as K3s has here. So check below which system runs.
  "$system/bin/switch-to-configuration" switch || :
  [ "$(running_system)" = "$system" ]
}

JOIN=/var/lib/proxmox-k3s/join
joins() { [ "$ROLE" = server ] && [ -s "$JOIN" ]; }

changed=
# install_secrets: installs registries and tokens, and if the server joins others, the URL to join (host/join.sh).
install_secrets() {
  drop_in=$ETC/config.yaml.d/join.yaml
  if joins; then
    read -r url ca_hash <"$JOIN"
    printf 'server: %s\n' "$url" >"$WORK/join.yaml"
    printf 'K10%s::server:%s\n' "$ca_hash" "$(cat "$WORK/secret.TOKEN")" >"$WORK/secret.JOIN"
    mv -f "$WORK/secret.JOIN" "$WORK/secret.TOKEN"
    if install_file 0600 "$WORK/join.yaml" "$drop_in"; then changed="$changed configuration"; fi
  else
    rm -f "$drop_in"
  fi
  if [ "$ROLE" = server ] && install_file 0600 "$WORK/secret.AGENT_TOKEN" "$ETC/agent-token"; then changed="$changed agent-token"; fi
  if install_registries; then changed="$changed registries"; fi
  # The token is the last file: with it K3s may start.
  if install_file 0600 "$WORK/secret.TOKEN" "$ETC/token"; then changed="$changed token"; fi
}
