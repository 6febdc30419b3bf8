import { commandsOf } from "../../support/pageCommands";

/* The commands that tests/lab/initCluster and tests/long/pages expect of the pages, checked here because those suites take minutes. */

test.each([
  [
    "docs/moving.md",
    "## The steps",
    ["npx proxmox-k3s doctor --host root@HOST", "npx proxmox-k3s init root@HOST --dry-run"],
  ],
  [
    "docs/upgrade.md",
    "## K3s",
    ["npx proxmox-k3s pin v1.36.3+k3s1", "npx proxmox-k3s preview", "pulumi up", "npx proxmox-k3s status"],
  ],
  [
    "docs/upgrade.md",
    "## This program",
    [
      ...["git pull", "npm ci --omit=dev", "npx proxmox-k3s gate --install root@HOST"],
      ...["npx proxmox-k3s doctor", "pulumi preview", "pulumi up"],
    ],
  ],
  [
    "docs/trouble.md",
    "# When something broke",
    ["npx proxmox-k3s doctor", "npx proxmox-k3s status", "npx proxmox-k3s preview"],
  ],
  [
    "docs/trouble.md",
    "## If `pulumi up` was interrupted",
    ["pulumi cancel --yes", "npx proxmox-k3s recover", "pulumi up"],
  ],
])("%s, %s has the commands that its suite runs", (page, heading, commands) => {
  expect(commandsOf(page, heading)).toEqual(commands);
});
