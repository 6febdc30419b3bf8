import * as fs from "node:fs";
import {
  isAlive,
  findLab,
  identify,
  Lab,
  LabK3s,
  labNetwork,
  labPaths,
  labRoot,
  type ProcessId,
  RunningLab,
  stackOf,
  writeLab,
} from "../lab";
import { Log } from "../support/cache";
import { applyHostFaults } from "./faults";
import { claimSubnet, connectLab } from "./network";
import { halt, lower } from "./lower";
import { startGuestsOnBoot } from "./onboot";
import { prepareState } from "./prepare";
import { awaitReady } from "./ready";
import { startInit } from "./startInit";
import { raiseSysctls } from "./sysctls";

/** All parts of a new lab. */
export interface LabParts {
  /** The Proxmox host's root file system. */
  readonly image: string;
  /** The guests' template. */
  readonly template: string;
  readonly k3s: LabK3s;
  /** `bin` of the tool chain. */
  readonly toolchainBin: string;
  /** Node.js for the program and the lab's own services. */
  readonly node: string;
  /** The image of virtual machines, if the lab runs some. */
  readonly vmImage?: string;
  /** Path of docker-registry, if the lab has what add-ons need. */
  readonly registry?: string;
}

/**
 * Raises a new lab and waits until its host answers. If that fails, removes all that it made.
 *
 * @throws Error if a lab of that name is up, stopped, or being raised.
 */
export async function raise(name: string, parts: LabParts, log: Log): Promise<RunningLab> {
  const { state } = labPaths(name);
  if (findLab(name)?.init) throw new Error(`The lab '${name}' exists already`);
  await reserve(name, log);
  try {
    raiseSysctls(labRoot());
    const subnet = await claimSubnet(name);
    const { prefix } = labNetwork(subnet);
    const base = { name, stack: stackOf(name), subnet, prefix, ...lastingParts(parts) };
    // From here on `lower` knows what to remove.
    writeLab({ ...base, hostPublicKey: "", nodePublicKey: "" });
    const keys = await prepareState(name, subnet);
    return await boot({ ...base, ...keys }, parts);
  } catch (error) {
    await lower(name);
    throw error;
  } finally {
    fs.rmSync(raisingFile(state), { force: true });
  }
}

/**
 * Starts a stopped lab with the same addresses, keys and records. Guests with `onboot: 1` are started.
 *
 * @throws Error if another lab has taken its network meanwhile.
 */
export async function resume(lab: Lab, parts: LabParts): Promise<RunningLab> {
  try {
    // A lab that ended by itself has left its link and cgroups, and LXC makes no container in an old cgroup.
    await halt(lab.name);
    raiseSysctls(labRoot());
    await claimSubnet(lab.name, lab.subnet);
    const running = await boot({ ...lab, ...lastingParts(parts) }, parts);
    await startGuestsOnBoot(running);
    return running;
  } catch (error) {
    await halt(lab.name);
    throw error;
  }
}

/** The parts that are in the lab's record. */
function lastingParts({ k3s, toolchainBin, node, vmImage, registry }: LabParts) {
  const has = { ...(vmImage !== undefined && { vms: true }), ...(registry !== undefined && { addons: true }) };
  return { k3s, toolchainBin, node, ...has };
}

async function boot(lab: Lab, parts: LabParts): Promise<RunningLab> {
  const init = await startInit(lab.name, lab.subnet, { ...parts, artifacts: parts.k3s.dir });
  const running = { ...lab, init };
  writeLab(running);
  await connectLab(lab.subnet, init.pid);
  await awaitReady(lab.name, lab.subnet, init, parts.registry !== undefined);
  // A stopped lab may have faults. They come after awaitReady, which they would disturb.
  await applyHostFaults(running);
  return running;
}

/** Reserves the state folder for this process. Removes the rest of an interrupted attempt first. */
async function reserve(name: string, log: Log): Promise<void> {
  const { state } = labPaths(name);
  const raising = fs.existsSync(raisingFile(state)) ? fs.readFileSync(raisingFile(state), "utf8") : undefined;
  if (raising && isAlive(JSON.parse(raising) as ProcessId))
    throw new Error(`The lab '${name}' is being raised by another process`);
  if (fs.existsSync(state)) {
    log(`removing what is left of the lab '${name}'`);
    await lower(name);
  }
  fs.mkdirSync(labRoot(), { recursive: true });
  fs.mkdirSync(state, { mode: 0o700 });
  fs.writeFileSync(raisingFile(state), JSON.stringify(identify(process.pid)));
}

function raisingFile(state: string): string {
  return `${state}/raising`;
}
