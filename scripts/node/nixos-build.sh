# nixos-build (the node itself): writes the machine's NixOS configuration and builds its system, while the former one still runs. Runs
# on all nodes at once, before K3s is touched on any of them.
# Arguments: NAME, VERSION, CONFIG (config.yaml of K3s), MODULE (the NixOS module). No argument is a secret.

[ -e /etc/NIXOS ] || fail "$NAME has no NixOS" "take a template with NixOS, or remove os: nixos from its pool; then pulumi up --replace with the URN of $NAME"
[ -e /etc/nixos/configuration.nix ] ||
  fail "$NAME has no /etc/nixos/configuration.nix, which has its boot loader" "put it into the template (docs/nixos.md), then pulumi up --replace with the URN of $NAME"

folder=${SYSTEM%/*}
state=${BUILT%/*}
mkdir -p "$state" "$folder"
printf '%s\n' "$MODULE" >"$WORK/module.nix"
printf '%s\n' "$CONFIG" >"$WORK/config.yaml"
printf '%s\n' '{ imports = [ ../configuration.nix ../hardware-configuration.nix ./module.nix ]; }' >"$WORK/system.nix"
for file in module.nix config.yaml system.nix; do install_file 0644 "$WORK/$file" "$folder/$file" || :; done

# Only once: later, the file systems include the volumes of pods. The template's own file may name disks of another machine.
if [ ! -e "$state/hardware" ]; then
  nixos-generate-config --show-hardware-config >"$WORK/hardware" ||
    fail "nixos-generate-config does not know the hardware of $NAME" "fix the cause in the lines above, then pulumi up"
  install_file 0644 "$WORK/hardware" /etc/nixos/hardware-configuration.nix || :
  touch "$state/hardware"
fi

# told PATTERN: whether Nix printed it.
told() { grep -q -- "$1" "$WORK/build"; }
not_built() {
  tail -n 20 "$WORK/build" | cut -c1-300
  refused=$(sed -n 's/^ *\(error:\|-\) *proxmox-k3s: //p' "$WORK/build" | head -n 1 | cut -c1-200)
  if [ -n "$refused" ]; then
    fail "the nixpkgs of $NAME does not fit the plan: $refused" "nix-channel --update in the machine, or set cluster.version to a release that its nixpkgs has; then pulumi up"
  elif told "nixpkgs' was not found"; then
    fail "$NAME has no nixpkgs" "add the channel nixos in the machine and in its template (nix-channel --list shows the channels), then pulumi up"
  elif told 'No space left on device'; then
    fail "the disk of $NAME is full" "give the node a larger disk, or run nix-collect-garbage in the machine; then pulumi up"
  elif told 'unable to download\|Could not resolve host\|Connection timed out'; then
    fail "$NAME did not get all packages" "see that it reaches its binary cache (DNS, route, proxy), then pulumi up"
  fi
  fail "the system of $NAME was not built" "fix what the lines above say, in configuration.nix of the machine if it names that; then pulumi up"
}

say "building the system of $NAME with K3s $VERSION"
nixos_rebuild build >"$WORK/build" 2>&1 || not_built
outcome "the system of $NAME with K3s $VERSION is built"
