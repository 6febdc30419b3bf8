import * as path from "node:path";
import prettier from "prettier";
import { MACHINE_TIMEOUTS } from "../../plan/machineTimeouts";
import { nameOf, type Phase, REMEDIES, type Row } from "./row";
import { rows } from "./rows";

export const PAGE = path.join(__dirname, "../../docs/reliability.md");

const HEADINGS: Readonly<Record<Phase, string>> = {
  up: "While `pulumi up` makes nodes",
  change: "While `pulumi up` changes machines",
  "scale down": "While `pulumi up` takes nodes out",
  destroy: "While `pulumi destroy` runs",
};

const HEAD = `# Reliability

What goes wrong in a home lab: an API that is overrun, a task that fails or hangs, a full disk, a host that reboots. This
page says what a person sees then and what to do. It is written from \`tests/reliability\` by \`npm run docs\`, and every row
is a test: the fault strikes a lab at that step, and the test holds

- that what is printed is printed, and that the step ends within its time;
- that nothing is lost: what was made is in the state, or the next \`up\` names the command that clears it away; no machine
  goes before its node has left the cluster; no stranger's guest is touched;
- that the command in the last column, once the cause is gone, ends in the plan, and that a further \`up\` changes nothing.

\`NODE\` is the node's name, \`VMID\` its number, \`…\` stands for any text. Unless \`--continue-on-error\` is given, the engine
begins no further step once one has failed; the next run goes on where it ended.

## Nothing waits for ever

| what waits                                          | at most                                                                    |
| --------------------------------------------------- | -------------------------------------------------------------------------- |
| a connection to the Proxmox host                    | 12 s while it is refused, 70 s while nobody answers                        |
| a connection to a node                              | 1 min while it is refused, 3 min while nobody answers                      |
| a script on a machine                               | its own bound, on the machine itself, the wait for its lock included       |
| the creation of a machine, or a change of it        | ${MACHINE_TIMEOUTS.timeoutCreate} s (Proxmox client: \`timeoutCreate\`, \`timeoutUpdate\`)                       |
| the removal of a machine                            | ${MACHINE_TIMEOUTS.timeoutDelete} s (\`timeoutDelete\`), a shutdown by force at the end of it included |
| a node that leaves                                  | \`removal.drainTimeout\`, twice with \`onBlocked: force\`, and 8 min; a server's 3 more |

A refresh (\`--refresh\`) has no bound of its own in the Proxmox client: an API that takes a connection and never answers
holds it until it is interrupted.
`;

const TAIL = `
## After a removal that failed

The guard looks at whose guest it is once, before its machine is asked to go. When the removal fails after that, the next
run asks again without the guard. Should our guest have gone all the same, and a guest of yours have its VMID by then,
Proxmox VE refuses the removal, because that guest is not in the cluster's resource pool
([decision 7](decisions/0007-a-pool-of-its-own.md)): \`Permission check failed (/vms/VMID, …)\`, and \`up\` names the
\`pulumi state delete\` after which it goes on. This takes a token without rights on all guests; \`npm run doctor\` warns
of one that has them.
`;

/** The whole page, formatted. */
export async function renderPage(): Promise<string> {
  const phases = Object.keys(HEADINGS) as Phase[];
  const sections = phases.map(
    (phase) => `\n## ${HEADINGS[phase]}\n\n${table(rows.filter((row) => row.phase === phase))}`,
  );
  return prettier.format([HEAD, ...sections, TAIL].join("\n"), { parser: "markdown", printWidth: 120 });
}

function table(some: readonly Row[]): string {
  const lines = some.map((row) => [where(row), row.fault, seen(row), todo(row), String(bound(row))]);
  const head = ["where", "fault", "what you see", "what to do", "seconds at most"];
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const where = ({ step, part }: Row): string => `\`${nameOf(step, "NODE", "CLUSTER")}\`: ${part}`;

/** A piece that is matched with white space of any kind is printed with blanks. */
const seen = ({ sees }: Row): string =>
  sees.length === 0
    ? "nothing"
    : sees.map((piece) => `\`${piece.replace(/\s+/g, " ").replaceAll("|", "\\|")}\``).join("<br>");

const todo = ({ mend, remedy }: Row): string =>
  mend === undefined ? REMEDIES[remedy] : `${mend}; then ${REMEDIES[remedy]}`;

const bound = ({ bound: given }: Row): number => (typeof given === "number" ? given : MACHINE_TIMEOUTS[given]);
