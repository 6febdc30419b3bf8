import { spawn } from "node:child_process";
import * as path from "node:path";
import { Command } from "commander";

import { labEnv } from "./commands/env";
import { installClusterServices } from "./components/clusterServices";
import { AddonsDemo } from "./demo/addons";
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
  /** With an agent in a container and one in a virtual machine instead of two in containers. */
  readonly mixed?: boolean;
  /** With the add-ons, by the program in `addons/`. */
  readonly addons?: boolean;
}

async function demo({ name, mixed = false, addons = false }: DemoOptions): Promise<void> {
  const phases: Phase[] = [];
  const phase: RunPhase = async (title, work) => {
    console.log(`\n=== ${title}`);
    const started = Date.now();
    const result = await work();
    phases.push({ title, seconds: Math.round((Date.now() - started) / 100) / 10 });
    return result;
  };

  const more = [...(mixed ? ["--vms"] : []), ...(addons ? ["--addons"] : [])];
  await phase("raise the lab", () => run(tsx, ["lab/cli.ts", "up", "--name", name, ...more], process.env));
  const env = labEnv(runningLab(name));
  const kubectl = (...args: string[]) => run("kubectl", args, env);

  const up = ["up", "--yes", "--skip-preview", "--suppress-outputs"];
  await phase("pulumi up", () => run("pulumi", up, env));
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

  if (addons) await demoAddons(name, phase, (...options) => run("pulumi", ["-C", "addons", ...up, ...options], env));

  console.log("\n=== the nodes");
  await kubectl("get", "nodes", "-o", "wide");
  console.log("\n=== the pods, by node");
  await kubectl("get", "pods", "-l", "app=hello", "-o", "wide", "--sort-by=.spec.nodeName");
  console.log("\n=== times");
  for (const { title, seconds } of phases) console.log(`  ${title.padEnd(24)} ${seconds.toFixed(1).padStart(7)} s`);
  console.log(whatNext(name === "lab" ? "" : ` --name ${name}`, mixed ? "vm" : "worker", addons));
}

/** Runs a part of the demo under its title, and notes its time. */
type RunPhase = <T>(title: string, work: () => Promise<T>) => Promise<T>;

/** Installs the add-ons and sends requests to them. @param up runs `pulumi up` in addons/ */
async function demoAddons(name: string, phase: RunPhase, up: (...options: string[]) => Promise<void>): Promise<void> {
  const lab = runningLab(name);
  const shown = async (title: string, work: () => Promise<readonly string[]>): Promise<void> => {
    for (const line of await phase(title, work)) console.log(`  ${line}`);
  };
  await phase("DNS and policies", () => installClusterServices(lab, console.log));
  const addons = await AddonsDemo.start(lab, console.log);
  try {
    await phase("a Git repository", () => addons.prepare());
    await phase("pulumi up in addons/", () => up());
    await shown("Flux", () => addons.seeFlux());
    await shown("ingress", () => addons.seeIngress());
    await shown("network policies", () => addons.seePolicies());
    await shown("Prometheus", () => addons.seePrometheus());
    await phase("proxmox-k3s status", () => run(tsx, ["cli/main.ts", "status"], labEnv(lab)));
    await phase("a second up", () => up("--expect-no-changes"));
  } finally {
    await addons.close();
  }
}

function whatNext(option: string, pool: string, addons: boolean): string {
  const count = (nodes: number) =>
    `pulumi config set --path 'proxmox-k3s:cluster.pools.${pool}.count' ${nodes} && pulumi up`;
  return `
=== what to try next
  eval "$(npm run -s lab -- env${option})"         this shell now uses the lab
  pulumi preview                             nothing to change
  ${count(pool === "vm" ? 2 : 3)}
  ${count(pool === "vm" ? 1 : 2)}
  kubectl get pods -o wide -w                in another shell, while a node goes
${addons ? "  npx proxmox-k3s status                     Flux, the ingress and Prometheus, too\n  pulumi -C addons destroy                   before the cluster's\n" : ""}  pulumi destroy
  npm run -s lab -- ssh${option} k3s-worker-01      a shell on a node (host: on the Proxmox host)
  npm run -s lab -- down${option}                   tear everything down`;
}

void new Command("demo")
  .description("Starts the lab, runs `pulumi up` on its stack and shows the result.")
  .option("--name <name>", "the lab's name", "lab")
  .option("--mixed", "a cluster of containers and a virtual machine, which is emulated in software and takes minutes")
  .option(
    "--addons",
    "also Flux, Traefik, Prometheus and policies, by the program in addons/; up to an hour the first time",
  )
  .action((options: DemoOptions) => demo(options))
  .parseAsync()
  .catch((error: Error) => {
    console.error(`\n${error.message}\nWhat the lab logged: npm run -s lab -- logs`);
    process.exitCode = 1;
  });
