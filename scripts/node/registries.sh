# Installs K3s' registries.yaml and the CAs of registries. Runs on the node itself. Not part of a NixOS system, because everybody may
# read the Nix store, and registries.yaml has passwords. Secrets (none if the config names no registry): REGISTRIES_YAML
# (registries.yaml) and REGISTRY_CAS (PEM, each after a line "# REGISTRY").

ETC=/etc/rancher/k3s
REGISTRIES_FILE=$ETC/registries.yaml
REGISTRIES_CAS=$ETC/registries
# Exists if this program wrote registries.yaml. One that somebody wrote by hand stays as long as the config names no registry.
REGISTRIES_OURS=/var/lib/proxmox-k3s/registries
# The files of the last good start.
REGISTRIES_GOOD=/var/lib/proxmox-k3s/registries.good

# put_registries FOLDER: replaces the node's files with those of FOLDER (registries.yaml and CAs, or none); answers 0 if it changed
# something.
put_registries() (
  put=1
  if [ -f "$1/registries.yaml" ]; then
    if [ -f "$REGISTRIES_FILE" ] && [ ! -e "$REGISTRIES_OURS" ]; then
      say "warning: $REGISTRIES_FILE was written by hand; it is now $REGISTRIES_FILE.by-hand, because cluster.k3s.registries replaces it"
      mv -f "$REGISTRIES_FILE" "$REGISTRIES_FILE.by-hand"
    fi
    mkdir -p "${REGISTRIES_OURS%/*}"
    : >"$REGISTRIES_OURS"
    if install_file 0600 "$1/registries.yaml" "$REGISTRIES_FILE"; then put=0; fi
    for ca in "$1"/*.pem; do
      if [ -e "$ca" ] && install_file 0644 "$ca" "$REGISTRIES_CAS/${ca##*/}"; then put=0; fi
    done
  elif [ -e "$REGISTRIES_OURS" ]; then
    rm -f "$REGISTRIES_FILE" "$REGISTRIES_OURS"
    [ ! -e "$REGISTRIES_FILE.by-hand" ] || mv -f "$REGISTRIES_FILE.by-hand" "$REGISTRIES_FILE"
    put=0
  fi
  for ca in "$REGISTRIES_CAS"/*.pem; do
    if [ -e "$ca" ] && [ ! -e "$1/${ca##*/}" ]; then
      rm -f "$ca"
      put=0
    fi
  done
  return "$put"
)

# install_registries: installs the registries of the config; answers 0 if it changed something.
install_registries() {
  mkdir -p "$WORK/registries"
  if [ -f "$WORK/secret.REGISTRIES_YAML" ]; then
    mv -f "$WORK/secret.REGISTRIES_YAML" "$WORK/registries/registries.yaml"
    # A registry's name cannot be a path (config/sections/registries.ts), so it is safe as a file name.
    awk -v folder="$WORK/registries" '/^# /{ file = folder "/" $2 ".pem"; next } file { print >file }' "$WORK/secret.REGISTRY_CAS"
  fi
  code=0
  put_registries "$WORK/registries" || code=1
  # These files have passwords, and the rest of the step does not need them.
  rm -rf "$WORK/registries"
  return "$code"
}

# registries_inputs: the files that K3s reads, for the sum of everything that it is started with; nothing if the program wrote none.
registries_inputs() {
  if [ -e "$REGISTRIES_OURS" ]; then cat "$REGISTRIES_FILE" "$REGISTRIES_CAS"/*.pem 2>/dev/null || :; fi
}

keep_registries() {
  rm -rf "$REGISTRIES_GOOD"
  [ -e "$REGISTRIES_OURS" ] || return 0
  mkdir -p "$REGISTRIES_GOOD"
  cp -p "$REGISTRIES_FILE" "$REGISTRIES_GOOD/"
  for ca in "$REGISTRIES_CAS"/*.pem; do
    if [ -e "$ca" ]; then cp -p "$ca" "$REGISTRIES_GOOD/"; fi
  done
}
take_back_registries() { put_registries "$REGISTRIES_GOOD"; }
