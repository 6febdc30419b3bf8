import * as fs from "node:fs";
import { writeAddonsStackConfig } from "../addonsStack";
import { ensureComponent } from "../components/build";
import { componentNames } from "../components/table";
import { ensureGuestTemplate, ensureHostImage, templateName, templateOrigin } from "../containers/baseImage";
import { lower } from "../host/lower";
import { assertMachine } from "../host/machine";
import { ensurePackages, machinePackages } from "../host/packages";
import { raise, resume } from "../host/raise";
import { run } from "../host/run";
import { ensureK3s } from "../k3s/artifacts";
import { addonsDir, checkLabName, findLab, isAlive, Lab, labNetwork, labPaths, repoDir, RunningLab } from "../lab";
import { fillRegistry } from "../registry/fill";
import { ensureDebianTool } from "../support/debianTool";
import { writeStackConfig } from "../stack";
import { ensureAddonsPackages } from "../support/addonsPackages";
import type { Log } from "../support/cache";
import { ensureToolchain, makePulumiHome } from "../toolchain/install";
import { programNode } from "../toolchain/nodejsParts";
import { ensureVmImage, vmImageName, vmImageOrigin, vmImagePackages } from "../vms/vmImage";
import { makeVmTemplate, vmTemplateId } from "../vms/vmTemplate";
import { labEnv } from "./env";
import { writeKubectl } from "./kubeconfig";

export interface UpOptions {
  /** A K3s binary of the person's own. */
  readonly k3s?: string;
  /** Whether to run virtual machines; a lab that has them keeps them. */
  readonly vms?: boolean;
  /** Whether to add what the add-ons' program needs; a lab that has it keeps it. */
  readonly addons?: boolean;
}

/**
 * Installs or builds all that the lab `name` needs, then starts it with an empty Pulumi stack. A lab that is up stays as
 * it is. A stopped lab starts again with all its records.
 */
export async function up(name: string, options: UpOptions, log: Log): Promise<Lab> {
  checkLabName(name);
  assertMachine();
  const old = findLab(name);
  // Its cluster does not know the registry.
  if (options.addons && old?.init && !old.addons)
    throw new Error(`The lab '${name}' was raised without what add-ons need: npm run lab -- down, then up --addons`);
  if (old?.init && isAlive(old.init)) {
    if (options.vms && !old.vms)
      throw new Error(`The lab '${name}' is up without virtual machines: npm run lab -- stop, then run up --vms again`);
    log(`the lab '${name}' is up already`);
    return old;
  }
  const withVms = options.vms ?? old?.vms ?? false;
  await ensurePackages(log, [...machinePackages, ...(withVms ? vmImagePackages : [])]);
  const withAddons = options.addons ?? old?.addons ?? false;
  if (withAddons) await ensureAddonsPackages(log);
  const toolchain = await ensureToolchain(log, withAddons);
  const k3s = (options.k3s === undefined && servedBefore(old)) || (await ensureK3s(k3sChoice(options), log));
  const template = await ensureGuestTemplate(log);
  const vmImage = withVms ? await ensureVmImage(log) : undefined;
  const image = await ensureHostImage(withVms, log);
  // One at a time: a Go build keeps all cores busy by itself.
  if (withAddons) for (const name of componentNames) await ensureComponent(name, log);
  const registry = withAddons ? await ensureDebianTool("docker-registry", "docker-registry", log) : undefined;
  const own = {
    image,
    template,
    ...(vmImage !== undefined && { vmImage }),
    ...(registry !== undefined && { registry }),
  };
  const parts = { ...own, k3s, toolchainBin: toolchain.binDir, node: programNode() };
  const lab = old?.init ? await resume(old, parts) : await raise(name, parts, log);
  try {
    makePulumiHome(labPaths(name).pulumiHome, toolchain.pluginsDir);
    writeKubectl(lab);
    await makeStack(lab);
    if (withVms) await makeVmTemplate(lab);
    if (withAddons) await prepareAddons(lab, log);
  } catch (error) {
    // A new lab without its stack would be confusing. The stack of an old lab may have the person's changes.
    if (!old?.init) await lower(name);
    throw error;
  }
  const { endpoint } = labNetwork(lab.subnet);
  if (withAddons) log(`add-ons: stack ${lab.stack} in addons/, registry https://${labNetwork(lab.subnet).registry}`);
  if (withVms) log(`virtual machines: template ${vmTemplateId} and local:import/${vmImageName} = ${vmImageOrigin}`);
  log(
    `the lab '${name}' is up: API ${endpoint}, K3s ${k3s.version} (${k3s.kind}), template ${templateName} = ${templateOrigin}`,
  );
  return lab;
}

/** The cluster's stack, without resources. */
async function makeStack(lab: RunningLab): Promise<void> {
  const registry = { authority: labNetwork(lab.subnet).registry, caFile: labPaths(lab.name).ca };
  writeStackConfig({ ...lab, ...(lab.addons && { registry }) });
  await selectStack(lab, repoDir);
}

/** Prepares what the add-ons' program needs: images in the registry, and its own stack, without resources. */
async function prepareAddons(lab: RunningLab, log: Log): Promise<void> {
  writeAddonsStackConfig(lab.stack, await fillRegistry(lab, log));
  await selectStack(lab, addonsDir);
}

async function selectStack(lab: RunningLab, cwd: string): Promise<void> {
  await run("pulumi", ["stack", "select", "--create", lab.stack, "--non-interactive"], { cwd, env: labEnv(lab) });
}

function k3sChoice({ k3s }: UpOptions): { path?: string } {
  return k3s === undefined ? {} : { path: k3s };
}

/** The K3s of a stopped lab, which it must serve again: its stack's config has the checksums. */
function servedBefore(lab: Lab | undefined): Lab["k3s"] | undefined {
  return lab?.init && fs.existsSync(lab.k3s.dir) ? lab.k3s : undefined;
}
