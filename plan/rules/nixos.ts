import type { Problem } from "../../config/problems";
import type { Draft } from "../../config/schema";

/** Keys that a machine with NixOS cannot take, because its configuration decides what they set. */
export function checkNixos({ pools, k3s }: Draft): Problem[] {
  const nixos = Object.entries(pools).filter(([, pool]) => pool.kind === "vm" && pool.os === "nixos");
  const [[first] = []] = nixos;
  if (first === undefined) return [];
  const agents = nixos
    .filter(([, pool]) => pool.kind === "vm" && pool.installAgent === true)
    .map(([name]) => ({
      path: `cluster.pools.${name}.installAgent`,
      problem: "must be false: cloud-init cannot install the guest agent in NixOS",
      hint: "remove it, and set services.qemuGuest.enable = true in the configuration of the template",
    }));
  const packages = nixos
    .filter(([, pool]) => pool.packages.length > 0)
    .map(([name]) => ({
      path: `cluster.pools.${name}.packages`,
      problem: "must be empty: NixOS has no apt",
      hint: "remove it, and set environment.systemPackages, or services.openiscsi for Longhorn, in the configuration of the template",
    }));
  const found = [...agents, ...packages];
  if (k3s?.artifacts.airgapImages !== true) return found;
  return [
    ...found,
    {
      path: "cluster.k3s.artifacts.airgapImages",
      problem: `must be false: the pool ${first} has NixOS, whose K3s comes from nixpkgs`,
      hint: "remove it; services.k3s.images in the configuration of the template gives NixOS its images",
    },
  ];
}
