import type { PulumiResult } from "../pulumiResult";

/** What a person does about an error before the next `up`. */
export type Remedy =
  /** The VMID belongs to another person's guest: retire its index; without a further refresh, if the refresh is what fails. */
  | { readonly kind: "give way"; readonly vmid: number; readonly refreshFails?: true }
  /** Our guest is gone and another person's guest has its VMID: make the program forget the node. */
  | { readonly kind: "forget"; readonly node: string }
  /** One of our guests is incomplete: run `npx proxmox-k3s recover`. */
  | { readonly kind: "recover" }
  | { readonly kind: "refresh" };

const RECOVERY = /npx proxmox-k3s recover/;

/** Errors with a cause outside the program, which name a remedy. Every other error is a bug of the program. */
const SAYINGS: readonly [RegExp, (match: RegExpExecArray) => Remedy][] = [
  // An error of the Proxmox client: a refresh reads the disks of any machine with the VMID, and the token has no permission for
  // another person's. The program has not started then, so docs/operations.md says what to do.
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

/** @returns undefined if the errors name no remedy */
export function remedyFor(run: PulumiResult): Remedy | undefined {
  const said = saidBy(run);
  for (const [saying, remedy] of SAYINGS) {
    const match = saying.exec(said);
    if (match) return remedy(match);
  }
  return undefined;
}

/** Whether one of the errors names `recover`, even if another remedy comes first. */
export function namesRecovery(run: PulumiResult): boolean {
  return RECOVERY.test(saidBy(run));
}

/** All errors and warnings of a run. */
export function saidBy(run: PulumiResult): string {
  return [...run.errors, ...run.warnings, run.stderr].join("\n");
}
