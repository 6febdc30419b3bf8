import * as fs from "node:fs";
import * as path from "node:path";

import { ownCommand } from "../../config/ownCommand";
import { EXAMPLE_KEY } from "../../config/sshKeys";
import { caPath, caProblem, trustCommand } from "../../credentials/certificates";
import { loadPlan } from "../../plan/load";
import { checkGate } from "../../remote/gateCheck";
import { GATE_FILE, renderGate } from "../../remote/hostGate";
import { AdminShell } from "../adminShell";
import { diagnose } from "../doctor/diagnose";
import { isHealthy, renderReport } from "../doctor/report";
import { gate } from "../installGate";
import { clusterIn, stackFile } from "../preview/former";
import { renderAdmin } from "./adminScript";
import { description } from "./description";
import { differences } from "./differences";
import { type HostFacts, judgeCertificate, parseFacts } from "./facts";
import { makeValues, missingTemplates, tokenValues } from "./hostPlan";
import * as local from "./local";
import { besideStacks } from "./otherStacks";
import { atTerminal, nobody } from "./person";
import { InitError, Problems } from "./problem";
import { checkHost, type Wishes } from "./propose";
import { setSecrets } from "./secrets";
import { askName, newSetup, type Setup } from "./setup";
import { renderStackFile } from "./stackFile";
import { step, tell } from "./tell";

/** The values that the user has given, and the options of the run. */
export interface InitOptions extends Partial<Omit<Wishes, "vmId">> {
  readonly vmid?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly ssh: string;
}

/**
 * Prepares a Proxmox host and this machine for a cluster, up to the doctor's table. Each part keeps what already exists, so the
 * next run continues after an interruption.
 * @throws Error with the cause and the next step; what was created before stays
 */
export async function init(target: string, options: InitOptions): Promise<void> {
  const person = options.yes || options.dryRun ? nobody : atTerminal();
  const shell = new AdminShell(options.ssh, target);
  const name = await askName(options, person);
  const at = await shell.resolve();
  const facts = parseFacts(await shell.script(renderAdmin("facts", { CLUSTER: name, GATE_FILE })));
  const answering = async (addresses: readonly string[]): Promise<string[]> =>
    (await shell.script(renderAdmin("probe", { CANDIDATES: addresses.join(" ") }))).split("\n").filter(Boolean);
  const file = stackFile(name);
  const setup = fs.existsSync(file)
    ? standing(file, facts)
    : await newSetup({ name, facts: besideStacks(facts, path.dirname(file), file), at, options, person }, answering);
  const [download] = missingTemplates(setup.plan, facts.templates);
  if (options.dryRun) return show(setup, download);
  console.log(description(setup, facts, download));
  if (!(await person.confirm(`Prepare ${target} and this machine?`))) return;
  await make({ name, target, ssh: options.ssh, shell, facts, setup, at, ...(download !== undefined && { download }) });
}

/**
 * Reads an existing stack file; it belongs to the user. @throws InitError if it is for another host, or if the host has a problem
 */
function standing(file: string, facts: HostFacts): Setup {
  const problems = new Problems();
  checkHost(facts, problems);
  problems.check();
  const plan = loadPlan(clusterIn(file));
  if (plan.proxmox.hostKey.split(" ").slice(0, 2).join(" ") !== facts.hostKey)
    throw new InitError([
      {
        cause: `${file} is for another Proxmox host: proxmox.hostKey is not this one's`,
        next: "choose another --name: homelab, mixed, mizar and onboarding are examples of this repository",
      },
    ]);
  return { plan };
}

/** `--dry-run`: prints the stack file and the script for the host as they would be. */
function show({ plan, proposal }: Setup, download: string | undefined): void {
  const key = local.publicKeyOf(local.keyFile(plan.name, "host")) ?? EXAMPLE_KEY;
  const nodeKey = local.publicKeyOf(local.keyFile(plan.name, "node")) ?? EXAMPLE_KEY;
  const lines = [
    ...(proposal ? [`# --- ${stackFile(plan.name)}`, renderStackFile(proposal, nodeKey)] : []),
    "# --- On the Proxmox host, as root",
    renderAdmin("make", makeValues(plan, key, download)),
    `# --- Then: ${ownCommand("gate --install")} for the key ${local.keyFile(plan.name, "host")}, and the API token:`,
    renderAdmin("token", tokenValues(plan)),
  ];
  process.stdout.write(lines.join("\n"));
}

interface Making {
  readonly name: string;
  readonly target: string;
  readonly ssh: string;
  readonly shell: AdminShell;
  readonly facts: HostFacts;
  readonly setup: Setup;
  readonly at: { readonly address: string; readonly port: number };
  readonly download?: string;
}

async function make(making: Making): Promise<void> {
  const { name, shell, setup, facts, download } = making;
  const { plan } = setup;
  const keys = { host: local.keyFile(name, "host"), node: local.keyFile(name, "node") };
  const fresh = new Set<string>();
  for (const [of, key] of Object.entries(keys))
    await step(`the SSH key ${key}`, async () => {
      const outcome = await local.ensureKey(key, `proxmox-k3s-${name}-${of}`);
      if (outcome === "MADE") fresh.add(key);
      tell(`${outcome}\tSSH key ${key}`);
    });
  const publicKey = local.publicKeyOf(keys.host)!;
  await step("the Proxmox host", () => shell.script(renderAdmin("make", makeValues(plan, publicKey, download)), tell));
  await step("the gate", () => ensureGate(making, keys.host));
  const exports = await step("this machine", () => prepareStack(making, keys.node));
  await step("the stack's secrets", () => setSecrets({ name, shell, plan, facts }, keys, fresh));
  for (const line of differences(plan, facts, local.publicKeyOf(keys.node)))
    if (!setup.proposal) tell(`DIFFERS\t${line}`);
  await finish(name, exports);
}

/** A gate that runs the program's scripts is not changed. */
async function ensureGate({ target, ssh, facts, at }: Making, key: string): Promise<void> {
  const privateKey = fs.readFileSync(key, "utf8");
  const reach = { host: at.address, port: at.port, user: "root", privateKey, hostKey: facts.hostKey, dials: 1 };
  const works = facts.gate === "ours" && (await checkGate(reach, "gate").catch(() => false));
  if (works) return tell(`STANDS\tgate ${GATE_FILE}`);
  const usual = renderGate().split("\n");
  const lifted = facts.gateLimits.filter((line) => !usual.includes(line));
  if (lifted.length > 0)
    throw new InitError([
      {
        cause: `the gate on the host has limits that init would lift: ${lifted.map((line) => line.split(" ")[1]).join(", ")}`,
        next: `${ownCommand(`gate --install ${target} --key ${key}`)} with the same --node-key and --artifacts as before`,
      },
    ]);
  await gate({ install: target, key, artifacts: [], nodeKey: [], ssh });
  tell(`MADE\tgate ${GATE_FILE}`);
}

/**
 * Creates the CA's file, the passphrase, the stack file and the stack.
 * @returns lines for the user's shell, without secrets
 */
async function prepareStack({ name, facts, setup: { plan, proposal } }: Making, nodeKey: string): Promise<string[]> {
  const exports: string[] = [];
  const { caFile, host } = plan.proxmox;
  const ca = proposal?.ca ?? judgeCertificate(facts, host).ca;
  if (caFile !== undefined && ca !== undefined)
    tell(`${local.ensureFile(caPath(caFile), `${ca.trim()}\n`)}\t${caFile}`);
  if (caFile !== undefined && caProblem(plan.proxmox)) {
    exports.push(trustCommand(caPath(caFile)).replace(/, and put.*/, ""));
    const others = process.env["SSL_CERT_DIR"];
    process.env["SSL_CERT_DIR"] = [path.dirname(caPath(caFile)), ...(others ? [others] : [])].join(":");
  }
  const passphrase = local.passphraseFile();
  if (passphrase !== undefined) {
    if (!process.env["PULUMI_CONFIG_PASSPHRASE_FILE"])
      exports.push(`export PULUMI_CONFIG_PASSPHRASE_FILE=${passphrase}`);
    tell(`${local.ensureFile(passphrase, local.newPassphrase(), 0o600)}\tpassphrase ${passphrase}`);
    process.env["PULUMI_CONFIG_PASSPHRASE_FILE"] = passphrase;
  }
  if ((await local.ensureLogin()) === "MADE") tell("MADE\tlogin to a state of files in ~/.pulumi");
  const file = stackFile(name);
  if (proposal) tell(`${local.ensureFile(file, renderStackFile(proposal, local.publicKeyOf(nodeKey)!))}\t${file}`);
  else tell(`STANDS\t${file}`);
  tell(`${await local.ensureStack(name)}\tstack ${name}`);
  return exports;
}

async function finish(name: string, exports: readonly string[]): Promise<void> {
  const findings = await diagnose(name);
  process.stdout.write(`\n${renderReport(findings)}\n`);
  const healthy = isHealthy(findings);
  const next = healthy
    ? `pulumi up --stack ${name}`
    : `fix what failed above, then ${ownCommand(`doctor --stack ${name}`)}`;
  const shell =
    exports.length > 0 ? ["", "For your shell, now and in its profile:", ...exports.map((line) => `  ${line}`)] : [];
  console.log([...shell, "", `next:  ${next}`].join("\n").trimStart());
  process.exitCode = healthy ? 0 : 1;
}
