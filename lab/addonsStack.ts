import * as fs from "node:fs";
import * as path from "node:path";
import { Document } from "yaml";
import { addonsDir } from "./lab";
import type { PushedChart } from "./registry/charts";

/** Path of the config of the add-ons' stack, as Pulumi expects it. The stack has the cluster stack's name. Git ignores the file. */
export function addonsStackFile(stack: string): string {
  return path.join(addonsDir, `Pulumi.${stack}.yaml`);
}

/** One namespace for applications, the two roles, and an ingress by the lab's double of a chart. */
function addonsConfig(stack: string, charts: ReadonlyMap<string, PushedChart>): unknown {
  return {
    config: {
      "proxmox-k3s-addons:addons": {
        cluster: `organization/proxmox-k3s/${stack}`,
        timeout: "3m",
        namespaces: { apps: {} },
        ingress: { traefik: "release", chart: charts.get("traefik") },
        access: { viewers: ["group:family"], operators: ["user:anna@example.org"] },
      },
    },
  };
}

/** Writes the config of the add-ons' stack. A file that exists is kept: it may have the person's changes. */
export function writeAddonsStackConfig(stack: string, charts: ReadonlyMap<string, PushedChart>): void {
  const file = addonsStackFile(stack);
  if (fs.existsSync(file)) return;
  const document = new Document(addonsConfig(stack, charts));
  document.commentBefore =
    " The lab's add-ons: made by `npm run lab -- up --addons`, removed by `down`, ignored by git.";
  fs.writeFileSync(file, document.toString({ lineWidth: 0 }));
}

export function removeAddonsStackConfig(stack: string): void {
  fs.rmSync(addonsStackFile(stack), { force: true });
}
