import { Command } from "commander";
import { kubectl, showLogs, sshGuest, sshHost } from "./commands/access";
import { shellExports } from "./commands/env";
import { clearFaults, printFaults, setFault } from "./commands/fault";
import { labStatus, printStatus } from "./commands/status";
import type { UpOptions } from "./commands/up";
import { labFaults } from "./host/faults";
import { halt, lower } from "./host/lower";
import { assertMachine } from "./host/machine";
import { checkLabName, defaultLabName, runningLab } from "./lab";
import { faultKinds, type FaultKind, type FaultSpec } from "./pve/faults/fault";

/* `npm run lab -- COMMAND`: the lab from a person's shell. Progress goes to stderr, results to stdout. */

const started = Date.now();
const progress = (line: string) =>
  console.error(`[${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s] ${line}`);

interface Named {
  name: string;
}

type SetOptions = Partial<Named> & { json?: boolean } & Omit<FaultSpec, "kind">;

/** The commands, for `npm run docs -- --check` too. */
export const program = new Command("lab")
  .description("A Proxmox VE host for tests on this machine: its API over real containers.")
  .enablePositionalOptions();

function command(usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .option("--name <name>", "which lab", checkLabName, defaultLabName);
}

/** A command that passes all further arguments, options included, to another program. */
function passing(usage: string, description: string): Command {
  return command(usage, description).passThroughOptions().allowUnknownOption();
}

command("up", "raise the lab; the first time this builds what it needs")
  .option("--k3s <path>", "a K3s binary to serve instead of the release")
  .option(
    "--vms",
    "also run virtual machines, emulated in software; needs more packages, and takes minutes the first time",
  )
  .option(
    "--addons",
    "add what addons/ needs: Pulumi's Kubernetes provider, a registry, and what runs in the cluster; building it takes up to an hour the first time",
  )
  .option("--json", "print the lab's record")
  .action(async ({ name, json, ...options }: Named & UpOptions & { json?: boolean }) => {
    // Loaded only for this command: it needs a compiler, and all other commands must answer at once.
    const { up } = await import("./commands/up.js");
    const lab = await up(name, options, progress);
    if (json) console.log(JSON.stringify(lab));
  });

command("down", "end the lab and remove every trace of it").action(async ({ name }: Named) => {
  assertMachine();
  await lower(name);
});

command("stop", "end the lab as a power cut would; up starts it again").action(async ({ name }: Named) => {
  runningLab(name);
  await halt(name);
});

command("status", "guests and nodes")
  .option("--json", "for programs")
  .action(async ({ name, json }: Named & { json?: boolean }) => {
    const lab = runningLab(name);
    const status = await labStatus(lab);
    console.log(json ? JSON.stringify(status) : printStatus(lab, status));
  });

command("env", "shell exports for pulumi, kubectl, curl and ssh").action(({ name }: Named) => {
  process.stdout.write(shellExports(runningLab(name)));
});

passing("kubectl [args...]", "kubectl on the first server").action(async (args: string[], { name }: Named) => {
  process.exitCode = await kubectl(runningLab(name), args);
});

passing("ssh <node> [command...]", "a shell or a command on a guest, by name or VMID").action(
  async (node: string, words: string[], { name }: Named) => {
    process.exitCode = await sshGuest(runningLab(name), node, words);
  },
);

passing("host [command...]", "a shell or a command on the Proxmox host").action(
  async (words: string[], { name }: Named) => {
    process.exitCode = await sshHost(runningLab(name), words);
  },
);

command("logs [log]", "logs of the Proxmox host: api, sshd, host, init, lxc-<vmid>, vm-<vmid>")
  .option("-f, --follow", "print new lines as they come")
  .action(async (log: string | undefined, { name, follow }: Named & { follow?: boolean }) => {
    process.exitCode = await showLogs(runningLab(name), log, follow ?? false);
  });

const fault = command("fault", "make something go wrong, see docs/lab.md");

/** A subcommand of `fault`. The option `--name` may come before or after it. */
function faultCommand(usage: string, description: string): Command {
  return fault.command(usage).description(description).option("--name <name>", "which lab", checkLabName);
}

const faultLab = ({ name }: Partial<Named>) => runningLab(name ?? fault.opts<Named>().name);

faultCommand("list", "the faults that are set")
  .option("--json", "for programs")
  .action(({ json, ...options }: Partial<Named> & { json?: boolean }) => {
    const faults = labFaults(faultLab(options)).list();
    console.log(json ? JSON.stringify(faults) : printFaults(faults));
  });

faultCommand("set <kind>", `set a fault: ${faultKinds.join(", ")}`)
  .option("--method <method>", "requests of this method")
  .option("--path <regexp>", "requests whose path below /api2/json matches")
  .option("--task <type>", "tasks of this type: vzcreate, vzstart …")
  .option("--guest <vmid>", "requests and tasks for this guest", Number)
  .option("--storage <storage>", "the storage that is full")
  .option("--count <times>", "how often it happens; until it is cleared by default", Number)
  .option("--status <status>", "HTTP status of an error", Number)
  .option("--text <text>", "text of an error, of a task's failure, or of a lock")
  .option("--seconds <seconds>", "how long something waits, or how far a clock is off", Number)
  .option("--json", "for programs")
  .action(async (kind: FaultKind, { name, json, ...fields }: SetOptions) => {
    const set = await setFault(faultLab(name === undefined ? {} : { name }), { kind, ...fields });
    console.log(json ? JSON.stringify(set) : printFaults([set]));
  });

faultCommand("clear [id]", "end a fault, or all").action(async (id: string | undefined, options: Partial<Named>) => {
  await clearFaults(faultLab(options), id === undefined ? undefined : Number(id));
});

if (require.main === module)
  program.parseAsync().catch((error: Error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  });
