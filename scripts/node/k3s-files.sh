# Installs the files of K3s: binary and images of the release, configuration, tokens and unit. Runs on the node itself. Needs
# node/registries.sh (ETC, and the functions for registries).

case $ROLE in
  server) unit=k3s other=k3s-agent ;;
  agent) unit=k3s-agent other=k3s ;;
  *) fail "unknown role $ROLE" ;;
esac

# What has been changed, for people.
changed=
note() { changed="$changed $1"; }

# The binary of the last good start. It is kept until the new one has started too.
FORMER=$BIN.former
HAD="the version it had"
HAD_NEXT="set that version in the config again, or fix what the lines above say; then pulumi up"

# place FILE SUM TARGET MODE: installs FILE as TARGET; answers 0 if TARGET changed. A download was checked before, and its name is
# its SHA-256. A file that was copied from the host is checked here.
place() {
  if has_sum "$3" "$2"; then return 1; fi
  mkdir -p "${3%/*}"
  if [ -f "$FROM/$2" ]; then
    mv -f "$FROM/$2" "$3.new"
  else
    [ -f "$FROM/$1" ] || fail "$1 $VERSION is no longer on $NAME" "pulumi up --replace with the URN of $NAME-artifacts puts it there again"
    need_sum "$FROM/$1" "$2"
    # A copy, not a link: the next version from the host overwrites this file.
    cp "$FROM/$1" "$3.new"
  fi
  chmod "$4" "$3.new"
  if [ "$3" = "$BIN" ] && [ -f "$BIN" ]; then ln -f "$BIN" "$FORMER"; fi
  mv -f "$3.new" "$3"
}

# take_back: restores the binary of the last good start, if there is one. A downloaded new binary goes back to its folder, for the
# next try; one that was copied from the host is still there.
take_back() {
  [ -f "$FORMER" ] || return 1
  [ -f "$FROM/$BINARY_FILE" ] || mv -f "$BIN" "$FROM/$SHA256"
  mv -f "$FORMER" "$BIN"
}

# install_release: installs the binary and the images of the release. The binary must report the wanted version.
install_release() {
  if place "$BINARY_FILE" "$SHA256" "$BIN" 0755; then note binary; fi
  if [ "$IMAGES" = yes ] && place "$IMAGES_FILE" "$IMAGES_SHA256" "$IMAGES_DIR/$IMAGES_FILE" 0644; then note images; fi
  case $("$BIN" --version) in
    "k3s version $VERSION "*) ;;
    *)
      says=$("$BIN" --version | head -n 1)
      take_back || :
      fail "$BIN says \"$says\", not $VERSION" "the file at artifacts.baseUrl is another version than the config's"
      ;;
  esac
}

# A server that joins others (host/join.sh) checks their CA, as agents do. After it has joined, K3s uses the server's own data instead.
JOIN=/var/lib/proxmox-k3s/join
joins() { [ "$ROLE" = server ] && [ -s "$JOIN" ]; }

# has_server: whether the agent reaches a server of its cluster.
has_server() { timeout 10 "$BIN" kubectl --kubeconfig=/var/lib/rancher/k3s/agent/kubelet.kubeconfig get --raw=/readyz >/dev/null 2>&1; }

# install_settings: installs configuration, tokens and unit, each if it differs.
install_settings() {
  printf '%s\n' "$CONFIG" >"$WORK/config.yaml"
  if joins; then
    read -r url ca_hash <"$JOIN"
    printf 'server: %s\n' "$url" >>"$WORK/config.yaml"
    printf 'K10%s::server:%s\n' "$ca_hash" "$(cat "$WORK/secret.TOKEN")" >"$WORK/secret.JOIN"
    mv -f "$WORK/secret.JOIN" "$WORK/secret.TOKEN"
  fi
  # An agent that reaches a server knows all servers of its cluster. If its `server:` changed, it would forget them and depend on
  # that one alone, so keep it. The plan's first server is for agents that reach none, or that move to another cluster: then the
  # token differs.
  if [ "$ROLE" = agent ] && cmp -s "$WORK/secret.TOKEN" "$ETC/token" && has_server; then
    sed -i "s|^server: .*|$(grep '^server: ' "$ETC/config.yaml")|" "$WORK/config.yaml"
  fi
  if install_file 0600 "$WORK/config.yaml" "$ETC/config.yaml"; then note configuration; fi
  if install_file 0600 "$WORK/secret.TOKEN" "$ETC/token"; then note token; fi
  if [ "$ROLE" = server ] && install_file 0600 "$WORK/secret.AGENT_TOKEN" "$ETC/agent-token"; then note agent-token; fi
  if install_registries; then note registries; fi
  if install_file 0644 "$WORK/$unit.service" "/etc/systemd/system/$unit.service"; then
    note unit
    systemctl daemon-reload
  fi
}

# inputs_sum: the sum of everything that K3s is started with, and of how often it was restarted to repair its node.
inputs_sum() {
  { echo "$SHA256"; [ "$REPAIRS" = 0 ] || echo "$REPAIRS"; registries_inputs; cat "$ETC/config.yaml" "$ETC"/*token "/etc/systemd/system/$unit.service"; } | sha256sum | cut -d' ' -f1
}

# If an update fails, the engine keeps the former inputs, and so must the node. Otherwise, a person who removes a refused option from
# the config, or sets the former version again, would make no change that the engine sees, and the node would stay without K3s.
# This is config.yaml of the last good start; $FORMER is its binary.
GOOD=/var/lib/proxmox-k3s/config.yaml
keep_good() {
  cp -p "$ETC/config.yaml" "$GOOD"
  keep_registries
  rm -f "$FORMER"
}
take_back_config() {
  [ -f "$GOOD" ] || return 1
  left_as_is=1
  if install_file 0600 "$GOOD" "$ETC/config.yaml"; then left_as_is=0; fi
  if take_back_registries; then left_as_is=0; fi
  return "$left_as_is"
}
