#!/bin/sh
# A double of the switch-to-configuration of a system that the double of nixos-rebuild has made: it moves the link to the running
# system, and copies the files of K3s to their place. It starts and stops nothing. Like that of NixOS, it exits with 4 if a unit has
# failed; the file failed-unit in the root names the unit.
# Argument: test|switch|boot.
set -eu
system=$(dirname "$(dirname "$(readlink -f "$0")")")
root=${system%/nix/store/*}
echo "switch-to-configuration $1 $(cat "$system/etc/hostname")" >>"$root/switches"
[ "$1" != boot ] || exit 0
ln -sfn "$system" "$root/run/current-system"
# place FILE TARGET: copies FILE of the system's /etc; removes TARGET if the system has no such file.
place() {
  mkdir -p "$root/$(dirname "$2")"
  if [ -e "$system/etc/$1" ]; then cp "$system/etc/$1" "$root/$2"; else rm -f "$root/$2"; fi
}
place rancher/k3s/config.yaml etc/rancher/k3s/config.yaml
# This folder is the machine's /etc/systemd/system, which nothing else may write.
place systemd/system/k3s.service nix/units/k3s.service
if [ -e "$root/failed-unit" ]; then
  echo "warning: the following units failed: $(cat "$root/failed-unit")" >&2
  exit 4
fi
