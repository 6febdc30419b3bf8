import * as path from "node:path";
import prettier from "prettier";
import { MACHINE_TIMEOUTS } from "../../plan/machineTimeouts";
import { LEVELS, type NixosRow, nixosRows } from "./nixos";
import { nameOf, type Phase, REMEDIES, type Row } from "./row";
import { rows } from "./rows";

export const PAGE = path.join(__dirname, "../../docs/reliability.md");

const HEADINGS: Readonly<Record<Phase, string>> = {
  up: "While `pulumi up` creates nodes",
  change: "While `pulumi up` changes machines",
  "scale down": "While `pulumi up` removes nodes",
  destroy: "While `pulumi destroy` runs",
};

const HEAD = `# Reliability

Many things can fail in a home lab: the API is overloaded, a task fails or hangs, a disk is full, the host reboots. For each
fault this page says what you see and what to do. \`npm run docs\` generates it from \`tests/reliability\`, and every row is a
test. The test causes the fault in a lab at that step, and then checks that:

- the program prints the text in the row, and the step ends within its time;
- nothing is lost: everything that was created is in the state, or the next \`pulumi up\` names the command that removes it;
- no machine is destroyed before its node has left the cluster, and no guest of somebody else changes;
- once the cause is fixed, the command in the column "what to do" succeeds, and another \`pulumi up\` changes nothing.

\`NODE\` is the name of the node, \`VMID\` its VMID, and \`…\` any text. After a failure the engine starts no further step,
unless you pass \`--continue-on-error\`. The next run goes on from there.

## Every wait has a limit

| wait                                                | limit                                                                      |
| --------------------------------------------------- | -------------------------------------------------------------------------- |
| a connection to the Proxmox host                    | 12 s if it is refused, 70 s if there is no answer                          |
| a connection to a node                              | 1 min if it is refused, 3 min if there is no answer                        |
| a script on a machine                               | its own time limit, which includes the wait for its lock                   |
| the creation of a machine, or a change of it        | ${MACHINE_TIMEOUTS.timeoutCreate} s (Proxmox provider: \`timeoutCreate\`, \`timeoutUpdate\`)                       |
| the removal of a machine                            | ${MACHINE_TIMEOUTS.timeoutDelete} s (\`timeoutDelete\`), which includes a forced stop at the end |
| a node that leaves                                  | \`removal.drainTimeout\`, twice with \`onBlocked: force\`, and 8 min; a server's 3 more |
| Longhorn's replicas of a node that leaves           | \`removal.evictionTimeout\`, and 2 min until its volumes are detached        |

A refresh (\`--refresh\`) has no time limit in the Proxmox provider. If the API accepts the connection and never answers, it
waits until you interrupt it.
`;

const NIXOS = `
## On a machine with NixOS

**No test has used a real machine with [NixOS](nixos.md).** The rows below are tests too, but NixOS is a double in them
([the doubles](lab.md#the-doubles-of-nixos)). They show what the program prints and does, not that NixOS works as expected. A
failure ends the node's steps before its K3s is changed, except in the last row.
`;

const NIXOS_TAIL = `
In the folder \`tests\`:

${Object.entries(LEVELS)
  .map(([file, what]) => `- \`${file}.test.ts\` runs ${what};`)
  .join("\n")
  .replace(/;$/, ".")}

The last file also shows that such nodes join, change one after another, leave and are destroyed. Never tested:

- the module in a real nixpkgs: whether each option exists and has the expected meaning. Nix parses and evaluates the
  module in \`tests/unit/plan/nixosModule.test.ts\`, with a double of nixpkgs; set \`NIXPKGS\` to use the real one;
- \`nixos-rebuild\`: a build and its duration, a switch, the boot loader;
- the timer that ends a trial, under a real systemd, and a guest agent that the switch restarts;
- K3s from nixpkgs with the program's \`config.yaml\`, and the firewall's unit at a boot (a real \`nft\` loads the rules in
  another test);
- cloud-init in NixOS with the drive of Proxmox VE, a restart for another host name, and a disk that grows at a boot.
`;

const TAIL = `
## Longhorn and a removal

If Longhorn cannot move the replicas of a node that leaves, or not in time, the removal stops before the drain. It names the
volumes and lets the node take replicas again. If the host or the run dies meanwhile, a note stays on the Proxmox host. With
it, the next \`pulumi up\` continues the removal, or undoes it if the node stays
([storage](storage.md#if-a-removal-stops-because-of-longhorn)). While Longhorn is down, a node with replicas is not removed. A
node without replicas is removed, and so is a dead one.

## After a failed removal

The guard checks the guest only once, before the removal. If the removal then fails, the next run removes the guest without
the guard. Meanwhile the guest may have disappeared, and another guest of yours may have its VMID. Then Proxmox VE
refuses the removal, because that guest is not in the cluster's resource pool
([decision 7](decisions/0007-a-pool-of-its-own.md)). You see \`Permission check failed (/vms/VMID, …)\`, and \`pulumi up\`
names the \`pulumi state delete\` command to run. This protection needs a token that cannot change all guests;
\`npx proxmox-k3s doctor\` warns if it can.
`;

/** The whole page, formatted with prettier. */
export async function renderPage(): Promise<string> {
  const phases = Object.keys(HEADINGS) as Phase[];
  const sections = phases.map(
    (phase) => `\n## ${HEADINGS[phase]}\n\n${table(rows.filter((row) => row.phase === phase))}`,
  );
  const nixos = [NIXOS, nixosTable(nixosRows), NIXOS_TAIL];
  return prettier.format([HEAD, ...sections, ...nixos, TAIL].join("\n"), { parser: "markdown", printWidth: 120 });
}

function table(some: readonly Row[]): string {
  const lines = some.map((row) => [where(row), row.fault, seen(row), todo(row), String(bound(row))]);
  return markdown(["where", "fault", "what you see", "what to do", "seconds at most"], lines);
}

function nixosTable(some: readonly NixosRow[]): string {
  const lines = some.map(({ step, fault, sees, next, test: [file] }) => [
    ...[`\`NODE-${step}\``, fault, `\`${sees}\``, next, `\`${file}\``],
  ]);
  return markdown(["where", "fault", "what you see", "what it says to do", "test"], lines);
}

const markdown = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const where = ({ step, part }: Row): string => `\`${nameOf(step, "NODE", "CLUSTER")}\`: ${part}`;

/** A piece matches any white space; the page shows spaces. */
const seen = ({ sees }: Row): string =>
  sees.length === 0
    ? "nothing"
    : sees.map((piece) => `\`${piece.replace(/\s+/g, " ").replaceAll("|", "\\|")}\``).join("<br>");

const todo = ({ fix, remedy }: Row): string =>
  fix === undefined ? REMEDIES[remedy] : `${fix}; then ${REMEDIES[remedy]}`;

const bound = ({ bound: given }: Row): number => (typeof given === "number" ? given : MACHINE_TIMEOUTS[given]);
