# K3s of a machine with NixOS: its unit and options come from the system (plan/render/nixosModule.ts), its tokens are outside of the
# Nix store, which everybody may read. On the node itself.

unit=k3s

# The system of the last good start. A link in this folder keeps Nix from removing it.
GOOD=/nix/var/nix/gcroots/proxmox-k3s
# The binary is the system's.
FORMER=/nonexistent
# What it goes back to; a version or an option may be the cause, so the cause's own hint says what to do.
HAD="the system of its last good start" HAD_NEXT=
keep_good() {
  ln -sfn "$(running_system)" "$GOOD"
  keep_registries
}
# Its options are the system's.
take_back_config() { take_back_registries; }
# take_back: that system again, if it is another one.
take_back() {
  [ -e "$GOOD" ] && [ "$(readlink -f "$GOOD")" != "$(running_system)" ] || return 1
  system=$(readlink -f "$GOOD")
  say "going back to the system of the last good start"
  nix-env --profile "$PROFILE" --set "$system" || return 1
  # NixOS calls a switch failed if a unit has failed, as K3s has here.
  "$system/bin/switch-to-configuration" switch || :
  [ "$(running_system)" = "$system" ]
}

JOIN=/var/lib/proxmox-k3s/join
joins() { [ "$ROLE" = server ] && [ -s "$JOIN" ]; }

changed=
# install_secrets: registries, tokens, and for a server that joins others the server to begin with (host/join.sh).
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
  # The last one: with it K3s may start.
  if install_file 0600 "$WORK/secret.TOKEN" "$ETC/token"; then changed="$changed token"; fi
}
