/*
 * Faults on a machine with NixOS. They have their own table in docs/reliability.md, because the tests that the rows name cause them
 * on doubles of NixOS and of `nixos-rebuild`. tests/unit/docs/reliability.test.ts checks that these tests exist.
 */

export interface NixosRow {
  /** The part of the step's name after the node's. */
  readonly step: "artifacts" | "nixos-trial" | "nixos-keep" | "k3s";
  readonly fault: string;
  /** The printed text, and the text after `next:`. `NODE` and `VMID` stand for the node's, `…` for any text. */
  readonly sees: string;
  readonly next: string;
  /** The test's file below `tests`, without `.test.ts`, and its title. */
  readonly test: readonly [file: keyof typeof LEVELS, title: string];
}

/** What the tests of each file run. */
export const LEVELS = {
  "scripts/nixos": "the node's scripts in a real `sh`",
  "scripts/nixosHost": "the Proxmox host's scripts, with a double of the guest",
  "engine/nixos": "the whole program under the real Pulumi engine",
} as const;

export const nixosRows: readonly NixosRow[] = [
  {
    ...{ step: "artifacts", fault: "the template has another system", sees: "NODE has no NixOS" },
    next: "take a template with NixOS, or remove os: nixos from its pool; then pulumi up --replace with the URN of NODE",
    test: ["scripts/nixos", "another system"],
  },
  {
    ...{ step: "artifacts", fault: "the template has no `configuration.nix`" },
    sees: "NODE has no /etc/nixos/configuration.nix, which has its boot loader",
    next: "put it into the template (docs/nixos.md), then pulumi up --replace with the URN of NODE",
    test: ["scripts/nixos", "a template without its configuration"],
  },
  {
    ...{ step: "artifacts", fault: "nixpkgs has another release of K3s, or no K3s of this minor" },
    sees: "the nixpkgs of NODE does not fit the plan: …",
    next: "nix-channel --update in the machine, or set cluster.version to a release that its nixpkgs has; then pulumi up",
    test: ["scripts/nixos", "another release of K3s"],
  },
  {
    ...{ step: "artifacts", fault: "there is no channel", sees: "NODE has no nixpkgs" },
    next: "add the channel nixos in the machine and in its template (nix-channel --list shows the channels), then pulumi up",
    test: ["scripts/nixos", "no channel"],
  },
  {
    ...{ step: "artifacts", fault: "the disk is full", sees: "the disk of NODE is full" },
    next: "give the node a larger disk, or run nix-collect-garbage in the machine; then pulumi up",
    test: ["scripts/nixos", "a full disk"],
  },
  {
    ...{ step: "artifacts", fault: "the binary cache cannot be reached", sees: "NODE did not get all packages" },
    next: "see that it reaches its binary cache (DNS, route, proxy), then pulumi up",
    test: ["scripts/nixos", "no network"],
  },
  {
    ...{ step: "artifacts", fault: "Nix does not read `configuration.nix`", sees: "the system of NODE was not built" },
    next: "fix what the lines above say, in configuration.nix of the machine if it names that; then pulumi up",
    test: ["scripts/nixos", "a configuration of people's own that Nix does not read"],
  },
  {
    ...{ step: "nixos-trial", fault: "the switch fails" },
    sees: "NODE went back to its former system: its switch failed",
    next: "fix what the lines above say, or take the change back; then pulumi up",
    test: ["engine/nixos", "because its switch fails: it is undone"],
  },
  {
    ...{ step: "nixos-trial", fault: "the switch takes too long" },
    sees: "NODE (VMID) has not switched to its new system after 240 s; it goes back to the former one",
    next: "… on the Proxmox host says why; then pulumi up",
    test: ["scripts/nixosHost", "fails with what the machine said if its switch failed, and when it takes too long"],
  },
  {
    ...{ step: "nixos-trial", fault: "the new system cannot be reached" },
    sees: "with its new system this machine does not reach NODE by SSH; the node goes back to its former system within 7 minutes",
    next: "look at it with the guest agent or qm terminal on the Proxmox host, fix the cause, then pulumi up",
    test: ["engine/nixos", "because it cannot be reached: it is not kept"],
  },
  {
    ...{ step: "nixos-keep", fault: "the machine went back before the new system was kept" },
    sees: "NODE went back to its former system: the new one was not confirmed within 420 s, or did not switch",
    next: "fix what the lines above say, or take the change back; then pulumi up",
    test: ["scripts/nixosHost", "is an error if the machine has another name after its restart too, or has gone back"],
  },
  {
    ...{ step: "nixos-keep", fault: "`configuration.nix` sets another host name" },
    sees: "NODE (VMID) has another host name after its restart too",
    next: "remove networking.hostName from configuration.nix of the machine and of its template, then pulumi up",
    test: ["scripts/nixosHost", "is an error if the machine has another name after its restart too, or has gone back"],
  },
  {
    ...{ step: "nixos-keep", fault: "the guest agent does not answer" },
    sees: "the guest agent of NODE (VMID) does not answer",
    next: "look at the machine with qm terminal VMID on the Proxmox host, then pulumi up",
    test: ["scripts/nixosHost", "restarts no machine that does not say its name"],
  },
  {
    ...{ step: "k3s", fault: "the machine runs another system than the one that was built" },
    sees: "NODE does not run the system that was built for it",
    next: "pulumi up tries it again",
    test: ["scripts/nixos", "waits for the machine's own name and system"],
  },
  {
    ...{ step: "k3s", fault: "K3s refuses an option" },
    sees: "k3s on NODE: …; it starts again with the system of its last good start",
    next: "correct k3s.serverConfig or k3s.agentConfig in the config, then pulumi up",
    test: ["engine/nixos", "because K3s refuses an option: one node goes back, K3s runs there again"],
  },
];
