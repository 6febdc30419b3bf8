# The files of K3s on the node: binary and images of the release, configuration, tokens and unit. On the node itself. From
# node/registries.sh: ETC, and the registries.

case $ROLE in
  server) unit=k3s other=k3s-agent ;;
  agent) unit=k3s-agent other=k3s ;;
  *) fail "unknown role $ROLE" ;;
esac

# What has been changed, for people.
changed=
note() { changed="$changed $1"; }

# The binary of the last good start, until the one that has taken its place has started too.
FORMER=$BIN.former
HAD="the version it had"
HAD_NEXT="set that version in the config again, or mend what the lines above say; then pulumi up"

# place FILE SUM TARGET MODE: answers 0 when TARGET changed. A download stands by the name of the sum that it was held
# against; what was brought from the host is held against it here.
place() {
  if has_sum "$3" "$2"; then return 1; fi
  mkdir -p "${3%/*}"
  if [ -f "$FROM/$2" ]; then
    mv -f "$FROM/$2" "$3.new"
  else
    [ -f "$FROM/$1" ] || fail "$1 $VERSION is not there on $NAME any more" "pulumi up --replace with the URN of $NAME-artifacts brings it again"
    need_sum "$FROM/$1" "$2"
    # No link: the host's next version is written over what it brought.
    cp "$FROM/$1" "$3.new"
  fi
  chmod "$4" "$3.new"
  if [ "$3" = "$BIN" ] && [ -f "$BIN" ]; then ln -f "$BIN" "$FORMER"; fi
  mv -f "$3.new" "$3"
}

# take_back: that binary again, where there is one; the other one is where it came from, for the next try.
take_back() {
  [ -f "$FORMER" ] || return 1
  [ -f "$FROM/$BINARY_FILE" ] || mv -f "$BIN" "$FROM/$SHA256"
  mv -f "$FORMER" "$BIN"
}

# install_release: the binary and the images of the release. The binary has to say that it is the wanted version.
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

# A server that joins others (join.sh) checks them as agents do. Once it has data of its own it goes by these.
JOIN=/var/lib/proxmox-k3s/join
joins() { [ "$ROLE" = server ] && [ -s "$JOIN" ]; }

# has_server: an agent's own one answers.
has_server() { timeout 10 "$BIN" kubectl --kubeconfig=/var/lib/rancher/k3s/agent/kubelet.kubeconfig get --raw=/readyz >/dev/null 2>&1; }

# install_settings: configuration, tokens and unit, each where it differs.
install_settings() {
  printf '%s\n' "$CONFIG" >"$WORK/config.yaml"
  if joins; then
    read -r url ca_hash <"$JOIN"
    printf 'server: %s\n' "$url" >>"$WORK/config.yaml"
    printf 'K10%s::server:%s\n' "$ca_hash" "$(cat "$WORK/secret.TOKEN")" >"$WORK/secret.JOIN"
    mv -f "$WORK/secret.JOIN" "$WORK/secret.TOKEN"
  fi
  # An agent that has a server knows all of its cluster. With another one to begin with it would forget them, and depend on
  # that one alone: the plan's first server is for agents that have none, or that get into another cluster, which the token
  # tells.
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

# inputs_sum: one sum of all that K3s is started with, and of how often it was started anew to put its node right.
inputs_sum() {
  { echo "$SHA256"; [ "$REPAIRS" = 0 ] || echo "$REPAIRS"; registries_inputs; cat "$ETC/config.yaml" "$ETC"/*token "/etc/systemd/system/$unit.service"; } | sha256sum | cut -d' ' -f1
}

# The engine keeps the former inputs of an update that failed. So must the node: else an option that K3s refuses, or a
# version that does not start, taken back in the config would be no change, and the node would stay without K3s. This is
# the last good start's config.yaml; its binary is $FORMER.
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
