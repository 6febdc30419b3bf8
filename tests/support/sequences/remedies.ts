import type { PulumiResult } from "../pulumiResult";

/** What a person does about an error before the next `up`. */
export type Remedy =
  /** The VMID is somebody else's: its index is retired; without another refresh, if that is what fails. */
  | { readonly kind: "give way"; readonly vmid: number; readonly refreshFails?: true }
  /** Our guest has gone and somebody else has its VMID: the program shall forget the node. */
  | { readonly kind: "forget"; readonly node: string }
  /** A guest of ours stands there half made: `npx proxmox-k3s recover`. */
  | { readonly kind: "recover" }
  | { readonly kind: "refresh" };

const RECOVERY = /npx proxmox-k3s recover/;

/** Errors that are the world's doing and that say what to do; every other one is the program's. */
const SAYINGS: readonly [RegExp, (match: RegExpExecArray) => Remedy][] = [
  // The Proxmox client's words: a refresh reads the disks of whatever machine has the VMID, and the token may not do that to a
  // stranger's. The program has not begun by then, so docs/operations.md says what to do.
  [
    /Permission check failed \(\/vms\/(\d+), VM\.Config\.Disk\)/,
    ([, vmid]) => ({ kind: "give way", vmid: Number(vmid), refreshFails: true }),
  ],
  [/-claim: VMID (\d+).* belongs to the guest "/, ([, vmid]) => ({ kind: "give way", vmid: Number(vmid) })],
  [/error: (\S+)-guard: VMID \d+.*not ours/, ([, node]) => ({ kind: "forget", node: node! })],
  [/(\S+): the API token may not change guest \d+/, ([, node]) => ({ kind: "forget", node: node! })],
  [RECOVERY, () => ({ kind: "recover" })],
  [/guest \d+ does not exist on this Proxmox host|next: {2}pulumi up --refresh/, () => ({ kind: "refresh" })],
  [/no server of the cluster answered/, () => ({ kind: "refresh" })],
];

/** @returns undefined if the errors name none */
export function remedyFor(run: PulumiResult): Remedy | undefined {
  const said = saidBy(run);
  for (const [saying, remedy] of SAYINGS) {
    const match = saying.exec(said);
    if (match) return remedy(match);
  }
  return undefined;
}

/** Whether one of the errors does, whatever else has to be done first. */
export function namesRecovery(run: PulumiResult): boolean {
  return RECOVERY.test(saidBy(run));
}

/** All that a run complained of or warned of. */
export function saidBy(run: PulumiResult): string {
  return [...run.errors, ...run.warnings, run.stderr].join("\n");
}
