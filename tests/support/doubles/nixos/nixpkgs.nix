# A double of the part of nixpkgs that a NixOS module of the program uses: functions return their value, packages are paths. It
# has one release of K3s. It does not have NixOS's modules, so it accepts every option.
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
