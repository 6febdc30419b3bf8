import { commandsIn, wrongCommands } from "../../../scripts-dev/pageCommands";

/* What `npm run docs -- --check` finds in a page. generated.test.ts runs it on all pages. */

const block = (...lines: string[]): string => ["```sh", ...lines, "```"].join("\n");

test("every command in blocks and sentences is found, without comments, placeholders and redirections", () => {
  const text = [
    "Run `npx proxmox-k3s status\n--json`, or `pulumi up --replace <urn of its machine>`; `kubectl get nodes` is not ours.",
    block("A=1 pulumi up && npx proxmox-k3s status >/tmp/x || true # pulumi down", 'eval "$(npm run -s lab -- env)"'),
  ].join("\n\n");
  expect(commandsIn(text).map((words) => words.join(" "))).toEqual([
    "pulumi up",
    "npx proxmox-k3s status",
    "npm run -s lab -- env",
    "npx proxmox-k3s status --json",
    "pulumi up --replace PLACE",
  ]);
});

test.each([
  ["npx proxmox-k3s retire NODE", "proxmox-k3s: there is no command retire"],
  ["npx proxmox-k3s node retir NODE", "proxmox-k3s node: there is no command retir"],
  ["npx proxmox-k3s scale worker --count 3", "proxmox-k3s scale: there is no option --count"],
  ["npx proxmox-k3s scale worker 3 4", "proxmox-k3s scale: it takes no argument 4"],
  ["npm run lab -- raise", "lab: there is no command raise"],
  ["npm run cluster -- repair", "proxmox-k3s: there is no command repair"],
  ["npm run pin -- v1 --forse", "proxmox-k3s pin: there is no option --forse"],
  ["npm run docs-check", "npm run docs-check: package.json has no such script"],
  ["pulumi apply", "pulumi: there is no command apply"],
  ["pulumi stack remove mine", "pulumi stack: there is no command remove"],
  ["pulumi up --expect-no-change", "pulumi up: there is no option --expect-no-change"],
])("`%s` is refused", (command, problem) => {
  expect(wrongCommands(`Run \`${command}\`.`)).toEqual([problem]);
  expect(wrongCommands(block(command))).toEqual([problem]);
});

test.each([
  "npx proxmox-k3s init root@HOST --name NAME --dry-run",
  "npx proxmox-k3s ssh NODE -- journalctl -u k3s-agent -n 50",
  "npx proxmox-k3s gate --install …",
  "npm run -s lab -- up [--name NAME] [--k3s PATH]",
  "npm run lab -- kubectl get nodes --watch",
  "npm run doctor",
  "pulumi config set --path 'proxmox-k3s:cluster.pools.worker.count' 3",
  "pulumi stack output kubeconfig --show-secrets > FILE",
])("`%s` is accepted", (command) => {
  expect(wrongCommands(block(command))).toEqual([]);
});
