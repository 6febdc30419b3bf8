# A machine with NixOS: where its system comes from, and which one runs. Runs on the machine itself.

# The main file of its configuration, and the system that was built from it.
SYSTEM=/etc/nixos/proxmox-k3s/system.nix
BUILT=/var/lib/proxmox-k3s/nixos/result
# The system that it boots with.
PROFILE=/nix/var/nix/profiles/system

# A command of the guest agent or of a unit does not have the environment variables with which Nix finds nixpkgs.
HOME=/root
export HOME
set +u
# shellcheck disable=SC1091 # a file of NixOS
if [ -r /etc/set-environment ]; then . /etc/set-environment; fi
set -u

# nixos_rebuild VERB: runs nixos-rebuild for the program's main file, in the folder that gets its link `result`.
nixos_rebuild() { (cd "${BUILT%/*}" && nixos-rebuild "$1" --no-flake -I "nixos-config=$SYSTEM"); }
running_system() { readlink -f /run/current-system; }
built_system() { readlink -f "$BUILT"; }
boot_system() { readlink -f "$PROFILE"; }
