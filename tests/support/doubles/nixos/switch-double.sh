#!/bin/sh
# A double of the switch-to-configuration of a system that the double of nixos-rebuild has made: it moves the link to the system that
# runs, and puts the files of K3s where its /etc has them. It starts and stops nothing. As that of NixOS it ends with 4 if a unit has
# failed, whose name is in failed-unit of the root.
# Argument: test|switch|boot.
set -eu
system=$(dirname "$(dirname "$(readlink -f "$0")")")
root=${system%/nix/store/*}
echo "switch-to-configuration $1 $(cat "$system/etc/hostname")" >>"$root/switches"
[ "$1" != boot ] || exit 0
ln -sfn "$system" "$root/run/current-system"
# place FILE: of the system's /etc, or none if it has none.
place() {
  mkdir -p "$root/$(dirname "$2")"
  if [ -e "$system/etc/$1" ]; then cp "$system/etc/$1" "$root/$2"; else rm -f "$root/$2"; fi
}
place rancher/k3s/config.yaml etc/rancher/k3s/config.yaml
# /etc/systemd/system of the machine, which nothing but this may write.
place systemd/system/k3s.service nix/units/k3s.service
if [ -e "$root/failed-unit" ]; then
  echo "warning: the following units failed: $(cat "$root/failed-unit")" >&2
  exit 4
fi
