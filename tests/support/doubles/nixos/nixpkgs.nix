# A double of nixpkgs, as far as a NixOS module of the program asks it: functions give their value, packages are places. It has one
# release of K3s, and NixOS's modules are not in it, so every option is taken.
{ release }:
let
  minor = builtins.concatStringsSep "_" (builtins.filter builtins.isString (builtins.match "([0-9]+)[.]([0-9]+)[.].*" release));
in
{
  lib = {
    mkForce = value: value;
    mkDefault = value: value;
    mkOverride = _: value: value;
  };
  pkgs = {
    nftables = "/nix/store/nftables";
    cloud-init = "/nix/store/cloud-init";
    writeText = name: text: text;
    "k3s_${minor}" = {
      version = release;
      outPath = "/nix/store/k3s-${release}";
    };
  };
}
