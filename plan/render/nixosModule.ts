import { createHash } from "node:crypto";

import type { ClusterPlan, FirewallPlan, VmNodePlan } from "../model";
import type { NodeRecord } from "../record";
import { kubernetesMinor } from "../versions";
import { k3sOptions, type K3sOptions } from "./k3sConfig";
import { nftables } from "./nftables";
import { nixLines, nixText, nixTexts } from "./nix";

/**
 * A machine's NixOS module. The same folder has `config.yaml` with all options of K3s (k3sConfig.ts), and the machine's own
 * `hardware-configuration.nix` (scripts/node/nixos-build.sh). The module has no secret, because everybody on the machine can read
 * the Nix store: K3s reads its tokens from files outside of it. Equal plans give equal text, and a new node does not change the
 * text of the others.
 * @param former what the state records of the node; undefined for a new one
 */
export function nixosModule(node: VmNodePlan, plan: ClusterPlan, former?: NodeRecord): string {
  const parts = [
    machine(node, plan, former),
    access(plan),
    k3s(node, plan, k3sOptions(node, plan, former)),
    ...(hasFirewall(plan) ? [firewall(plan)] : []),
  ];
  return `# Written by proxmox-k3s for ${node.name}. pulumi up overwrites it: put options of your own into configuration.nix.
{ config, lib, pkgs, ... }:
{
${parts.join("\n\n")}
}`;
}

/** Shows whether a module has changed, for places where its text would be too long. */
export const nixosModuleSum = (...of: Parameters<typeof nixosModule>): string =>
  createHash("sha256")
    .update(nixosModule(...of))
    .digest("hex");

const hasFirewall = (plan: ClusterPlan): plan is ClusterPlan & { readonly firewall: FirewallPlan } =>
  plan.firewall !== undefined;

function machine(node: VmNodePlan, { network }: ClusterPlan, former: NodeRecord | undefined): string {
  // The same rule as in components/machine/vmSettings.ts: if the config gives no MAC address, a machine keeps its own.
  const mac = node.mac ?? former?.mac ?? node.ownMac;
  return `  networking = {
    # Images for Proxmox VE force an empty name, which cloud-init fills.
    hostName = lib.mkOverride 10 ${nixText(node.name)};
    useNetworkd = true;
    useDHCP = lib.mkForce false;
    # NixOS's own filter knows nothing of the cluster. With cluster.firewall the program brings one.
    firewall.enable = lib.mkForce false;
  };
  systemd.network.enable = lib.mkForce true;
  systemd.network.networks."05-proxmox-k3s" = {
    matchConfig.MACAddress = ${nixText(mac)};
    address = [ ${nixText(`${node.address}/${node.prefix}`)} ];
    gateway = [ ${nixText(network.gateway)} ];
    dns = ${nixTexts(network.nameservers, 4)};
    domains = ${nixTexts(network.searchDomain === undefined ? [] : [network.searchDomain], 4)};
  };

  # The root file system takes all of its disk at a boot. NixOS refuses to grow other types.
  boot.growPartition = lib.mkDefault config.fileSystems."/".autoResize;
  fileSystems."/".autoResize = lib.mkDefault (builtins.elem config.fileSystems."/".fsType [ "ext3" "ext4" "btrfs" "xfs" ]);`;
}

const access = ({ ssh, firewall: filter }: ClusterPlan): string => `  # Scripts call them by their names.
  environment.systemPackages = [ ${filter === undefined ? "" : "pkgs.nftables "}pkgs.cloud-init ];
  services.qemuGuest.enable = true;
  services.cloud-init.enable = true;
  # Name, address and host keys are the machine's for good.
  services.cloud-init.settings = {
    preserve_hostname = true;
    ssh_deletekeys = false;
    network.config = "disabled";
  };
  services.openssh = {
    enable = true;
    settings = {
      PermitRootLogin = lib.mkForce "prohibit-password";
      PasswordAuthentication = lib.mkForce false;
      KbdInteractiveAuthentication = lib.mkForce false;
    };
  };
  users.users.root.openssh.authorizedKeys.keys = ${nixTexts(ssh.authorizedKeys, 2)};`;

function k3s(node: VmNodePlan, { version }: ClusterPlan, options: K3sOptions): string {
  const text = (name: string): string => nixText(String(options[name]));
  const nixpkgs = `k3s_${kubernetesMinor(version).replace(".", "_")}`;
  const release = version.replace(/^v/, "");
  return `  assertions = [
    {
      assertion = config.services.k3s.package.version == ${nixText(release)};
      message = "proxmox-k3s: K3s is \${config.services.k3s.package.version} as ${nixpkgs} in this nixpkgs, not ${release}";
    }
  ];
  services.k3s = {
    enable = true;
    package = pkgs.${nixpkgs} or (throw "proxmox-k3s: there is no ${nixpkgs} in this nixpkgs, for ${release}");
    role = ${nixText(node.role)};${node.role === "agent" ? `\n    serverAddr = ${text("server")};` : ""}
    tokenFile = ${text("token-file")};${options["cluster-init"] === true ? "\n    clusterInit = true;" : ""}
  };
  # K3s reads it by itself. Name, address, labels and taints of the node are only there: K3s adds a list of flags to that of its file, so
  # in extraFlags they would be given twice.
  environment.etc."rancher/k3s/config.yaml".source = ./config.yaml;
  systemd.services.k3s = {${node.role === "agent" ? `\n    # As on the other machines.\n    aliases = [ "k3s-agent.service" ];` : ""}
    # Without a token the machine is no node yet: pulumi up writes it when the node's removal is prepared.
    unitConfig.ConditionPathExists = ${text("token-file")};
    # pulumi up restarts it itself, one node at a time, and looks how it starts.
    restartIfChanged = false;
  };
  systemd.tmpfiles.rules = [ "L+ /usr/local/bin/k3s - - - - \${config.services.k3s.package}/bin/k3s" ];`;
}

/**
 * The doors of the cluster, without the addresses of its nodes. So a node that joins or leaves changes no machine's module. The
 * rules that the Proxmox host keeps take precedence, because a leaving node needs the others until it has left
 * (docs/decisions/0018, 0019).
 */
function firewall(plan: ClusterPlan & { readonly firewall: FirewallPlan }): string {
  const doors = nftables({ ...plan, servers: [], agents: [], nodes: [] });
  return `  # The doors of the cluster, without its nodes: these are in the rules that the Proxmox host keeps on this machine, which replace
  # the table in the same transaction.
  systemd.services.k3smesh = let
    rules = pkgs.writeText "k3smesh.nft" ${nixLines(`${doors}\ninclude "/etc/k3smesh/*.nft"`, 4)};
  in {
    description = "Packet filter of the K3s cluster's nodes";
    wantedBy = [ "sysinit.target" ];
    wants = [ "network-pre.target" ];
    before = [ "network-pre.target" "shutdown.target" ];
    after = [ "local-fs.target" "nftables.service" ];
    conflicts = [ "shutdown.target" ];
    unitConfig.DefaultDependencies = false;
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      ExecStart = "\${pkgs.nftables}/bin/nft -f \${rules}";
    };
  };`;
}
