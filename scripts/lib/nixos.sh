# A machine with NixOS: where its system comes from, and which one runs. On the machine itself.

# The entry of its configuration, and what was built of it.
SYSTEM=/etc/nixos/proxmox-k3s/system.nix
BUILT=/var/lib/proxmox-k3s/nixos/result
# The system that it boots with.
PROFILE=/nix/var/nix/profiles/system

# A command of the guest agent, or in a unit, has none of the environment in which Nix finds nixpkgs.
HOME=/root
export HOME
set +u
# shellcheck disable=SC1091 # a file of NixOS
if [ -r /etc/set-environment ]; then . /etc/set-environment; fi
set -u

# nixos_rebuild VERB: as nixos-rebuild, for the program's own entry. It leaves its link where it stands.
nixos_rebuild() { (cd "${BUILT%/*}" && nixos-rebuild "$1" --no-flake -I "nixos-config=$SYSTEM"); }
running_system() { readlink -f /run/current-system; }
built_system() { readlink -f "$BUILT"; }
boot_system() { readlink -f "$PROFILE"; }
