#!/bin/sh
# A double of NixOS's nixos-rebuild, which says so: it builds nothing. It checks the form of the configuration: the entry after
# -I nixos-config imports files that exist, Nix can read them, and the assertions of the program's module hold with the K3s
# in $DOUBLE_ROOT/k3s-release. What it "builds" is a folder with a switch-to-configuration (switch-double.sh) that moves links.
# Arguments: build|test|boot --no-flake -I nixos-config=ENTRY. Environment: DOUBLE_ROOT, in place of /.
# $DOUBLE_ROOT/fails says how it fails: "build MESSAGE", "test MESSAGE" or "boot MESSAGE". With "reach", nobody can reach the machine
# with the system that it builds.
set -eu
DOUBLE_ROOT=${DOUBLE_ROOT-}
here=$(dirname "$(readlink -f "$0")")
echo "nixos-rebuild: this is a double, which builds nothing" >&2
[ "$2 $3" = "--no-flake -I" ] || { echo "the double does not know: $*" >&2; exit 64; }
verb=$1 entry=${4#nixos-config=}
fault() {
  words=$(sed -n "s/^$1 //p" "$DOUBLE_ROOT/fails" 2>/dev/null || :)
  if [ -n "$words" ]; then
    echo "$words" >&2
    exit 1
  fi
}

fault build
read_nix() { nix-instantiate --store dummy:// "$@"; }
folder=$(dirname "$entry")
for file in "$entry" $(grep -o '\.\.\?/[a-z0-9.-]*\.nix' "$entry" | sed "s|^|$folder/|"); do read_nix --parse "$file" >/dev/null; done
[ -s "$folder/config.yaml" ]
asked="let
    nixpkgs = import $here/nixpkgs.nix { release = \"$(cat "$DOUBLE_ROOT/k3s-release")\"; };
    config = import $folder/module.nix (nixpkgs // { inherit config; });
    failed = map (each: each.message) (builtins.filter (each: !each.assertion) config.assertions);
  in"
failed=$(read_nix --eval --strict -E "$asked builtins.concatStringsSep \" \" failed")
failed=$(echo "$failed" | sed 's/^"//; s/"$//')
if [ -n "$failed" ]; then
  printf 'error:\n  Failed assertions:\n  - %s\n' "$failed" >&2
  exit 1
fi
name=$(read_nix --eval --strict -E "$asked config.networking.hostName")
name=$(echo "$name" | tr -d '"')

system=$DOUBLE_ROOT/nix/store/$(cat "$folder"/*.nix "$folder/config.yaml" "$DOUBLE_ROOT/k3s-release" | sha256sum | cut -c 1-32)-nixos-system-$name
mkdir -p "$system/bin" "$system/etc/rancher/k3s" "$system/etc/systemd/system"
echo "$name" >"$system/etc/hostname"
cp "$folder/config.yaml" "$system/etc/rancher/k3s/config.yaml"
printf '[Service]\n# As the double has it: %s\n' "$(read_nix --eval --strict --json -E "$asked config.services.k3s")" >"$system/etc/systemd/system/k3s.service"
cat "$DOUBLE_ROOT/k3s-release" >"$system/k3s-release"
if grep -qs '^reach' "$DOUBLE_ROOT/fails"; then touch "$system/out-of-reach"; else rm -f "$system/out-of-reach"; fi
cp "$here/switch-double.sh" "$system/bin/switch-to-configuration"
# The new system has the commands of the running one.
ln -sfn "$(readlink -f "$DOUBLE_ROOT/run/current-system/sw")" "$system/sw"
[ "$verb" = boot ] || ln -sfn "$system" result
case $verb in
  build) ;;
  test)
    fault test
    "$system/bin/switch-to-configuration" test
    ;;
  boot)
    fault boot
    ln -sfn "$system" "$DOUBLE_ROOT/nix/var/nix/profiles/system"
    "$system/bin/switch-to-configuration" boot
    ;;
esac
