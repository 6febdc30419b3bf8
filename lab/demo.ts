import { spawn } from "node:child_process";
import * as path from "node:path";
import { Command } from "commander";

import { labEnv } from "./commands/env";
import { requestsBetween } from "./demo/requests";
import { run as capture } from "./host/run";
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

interface DemoOptions {
  readonly name: string;
  /** With a container agent and an agent in a virtual machine in place of two container agents. */
  readonly mixed?: boolean;
}

async function demo({ name, mixed = false }: DemoOptions): Promise<void> {
  const phases: Phase[] = [];
  const phase = async <T>(title: string, work: () => Promise<T>): Promise<T> => {
    console.log(`\n=== ${title}`);
    const started = Date.now();
    const result = await work();
    phases.push({ title, seconds: Math.round((Date.now() - started) / 100) / 10 });
    return result;
  };

  await phase("raise the lab", () =>
    run(tsx, ["lab/cli.ts", "up", "--name", name, ...(mixed ? ["--vms"] : [])], process.env),
  );
  const env = labEnv(runningLab(name));
  const kubectl = (...args: string[]) => run("kubectl", args, env);

  await phase("pulumi up", () => run("pulumi", ["up", "--yes", "--skip-preview", "--suppress-outputs"], env));
  await phase("three replicas", async () => {
    await kubectl("apply", "-f", "lab/demo/hello.yaml");
    await kubectl("rollout", "status", "deployment/hello", mixed ? "--timeout=600s" : "--timeout=180s");
  });
  if (mixed)
    await phase("pod to pod, to service", async () => {
      const requests = await requestsBetween(["k3s-worker-01", "k3s-vm-01"], (...args) =>
        capture("kubectl", args, { cwd: repo, env }),
      );
      for (const { from, to, answer } of requests) console.log(`from ${from} to ${to}: ${answer} answers`);
    });

  console.log("\n=== the nodes");
  await kubectl("get", "nodes", "-o", "wide");
  console.log("\n=== the pods, by node");
  await kubectl("get", "pods", "-l", "app=hello", "-o", "wide", "--sort-by=.spec.nodeName");
  console.log("\n=== times");
  for (const { title, seconds } of phases) console.log(`  ${title.padEnd(24)} ${seconds.toFixed(1).padStart(7)} s`);
  console.log(whatNext(name === "lab" ? "" : ` --name ${name}`, mixed ? "vm" : "worker"));
}

function whatNext(option: string, pool: string): string {
  const count = (nodes: number) =>
    `pulumi config set --path 'proxmox-k3s:cluster.pools.${pool}.count' ${nodes} && pulumi up`;
  return `
=== what to try next
  eval "$(npm run -s lab -- env${option})"         this shell now speaks to the lab
  pulumi preview                             nothing to change
  ${count(pool === "vm" ? 2 : 3)}
  ${count(pool === "vm" ? 1 : 2)}
  kubectl get pods -o wide -w                in another shell, while a node goes
  pulumi destroy
  npm run -s lab -- ssh${option} k3s-worker-01      a shell on a node (host: on the Proxmox host)
  npm run -s lab -- down${option}                   tear everything down`;
}

void new Command("demo")
  .description("Starts the lab, runs `pulumi up` on its stack and shows the result.")
  .option("--name <name>", "the lab's name", "lab")
  .option("--mixed", "a cluster of containers and a virtual machine, which is emulated in software and takes minutes")
  .action((options: DemoOptions) => demo(options))
  .parseAsync()
  .catch((error: Error) => {
    console.error(`\n${error.message}\nWhat the lab logged: npm run -s lab -- logs`);
    process.exitCode = 1;
  });
