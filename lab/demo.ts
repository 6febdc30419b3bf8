import { spawn } from "node:child_process";
import * as path from "node:path";
import { Command } from "commander";

import { labEnv } from "./commands/env";
import { runningLab } from "./lab";

const repo = path.join(__dirname, "..");
const tsx = path.join(repo, "node_modules/.bin/tsx");

/** Runs a command with its output shown; a failure ends the demo. */
function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: repo, env, stdio: ["ignore", "inherit", "inherit"] });
    child.on("error", reject);
    child.on("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`${path.basename(command)} ${args.join(" ")} ended with ${code}`)),
    );
  });
}

interface Phase {
  readonly title: string;
  readonly seconds: number;
}

async function demo(name: string): Promise<void> {
  const phases: Phase[] = [];
  const phase = async <T>(title: string, work: () => Promise<T>): Promise<T> => {
    console.log(`\n=== ${title}`);
    const started = Date.now();
    const result = await work();
    phases.push({ title, seconds: Math.round((Date.now() - started) / 100) / 10 });
    return result;
  };

  await phase("raise the lab", () => run(tsx, ["lab/cli.ts", "up", "--name", name], process.env));
  const env = labEnv(runningLab(name));
  const kubectl = (...args: string[]) => run("kubectl", args, env);

  await phase("pulumi up", () => run("pulumi", ["up", "--yes", "--skip-preview", "--suppress-outputs"], env));
  await phase("three replicas", async () => {
    await kubectl("apply", "-f", "lab/demo/hello.yaml");
    await kubectl("rollout", "status", "deployment/hello", "--timeout=180s");
  });

  console.log("\n=== the nodes");
  await kubectl("get", "nodes", "-o", "wide");
  console.log("\n=== the pods, by node");
  await kubectl("get", "pods", "-l", "app=hello", "-o", "wide", "--sort-by=.spec.nodeName");
  console.log("\n=== times");
  for (const { title, seconds } of phases) console.log(`  ${title.padEnd(20)} ${seconds.toFixed(1).padStart(7)} s`);
  console.log(whatNext(name === "lab" ? "" : ` --name ${name}`));
}

function whatNext(option: string): string {
  return `
=== what to try next
  eval "$(npm run -s lab -- env${option})"         this shell now speaks to the lab
  pulumi preview                             nothing to change
  pulumi config set --path 'proxmox-k3s:cluster.pools.worker.count' 3 && pulumi up
  pulumi config set --path 'proxmox-k3s:cluster.pools.worker.count' 2 && pulumi up
  kubectl get pods -o wide -w                in another shell, while a node goes
  pulumi destroy
  npm run -s lab -- ssh k3s-worker-01${option}      a shell on a node (host: on the Proxmox host)
  npm run -s lab -- down${option}                   tear everything down`;
}

void new Command("demo")
  .description("Starts the lab, runs `pulumi up` on its stack and shows the result.")
  .option("--name <name>", "the lab's name", "lab")
  .action(({ name }: { name: string }) => demo(name))
  .parseAsync()
  .catch((error: Error) => {
    console.error(`\n${error.message}\nWhat the lab logged: npm run -s lab -- logs`);
    process.exitCode = 1;
  });
