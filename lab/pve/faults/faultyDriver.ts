import type { ContainerDriver, MachineDriver, TaskLog, VmDriver } from "../driver";
import { failure, messageOf, WorkerKilled } from "../errors";
import type { GuestConfig } from "../guestConfig";
import { secondsOf } from "./fault";
import type { Faults } from "./faults";

/**
 * A driver that applies faults to guests: incomplete ones, ones without addresses, and ones that end by themselves. The
 * inner driver does all else.
 */
export function faultyDriver<Driver extends MachineDriver>(inner: Driver, faults: Faults): Driver {
  /** Timers of guests that will end by a fault. */
  const deaths = new Map<number, NodeJS.Timeout>();
  /** If a guest ends otherwise, its timer must not end it after its next start. */
  const spare = (vmid: number) => {
    clearTimeout(deaths.get(vmid));
    deaths.delete(vmid);
  };
  const die = (vmid: number) =>
    inner.stop(vmid, () => {}).catch((error) => console.error(`guest ${vmid}: ${messageOf(error)}`));
  /**
   * Applies faults of tasks that make a guest. Not when the task starts: here the guest's file exists already, as it does on
   * a real host during the long unpacking or copying. A killed worker has done that work and releases nothing.
   */
  const struckMidway = async (task: string, guests: readonly number[], log: TaskLog, work: () => Promise<void>) => {
    try {
      await faults.strikeTask(task, guests, log);
    } catch (error) {
      if (error instanceof WorkerKilled) await work();
      throw error;
    }
    await work();
  };

  const own: Partial<MachineDriver> = {
    async start(vmid, config, log) {
      const what = `guest ${vmid} starts`;
      const isMute = faults.strike("no-address", what, { guests: [vmid] });
      await inner.start(vmid, isMute ? withoutAddresses(config) : config, log);
      const dying = faults.strike("guest-dies", what, { guests: [vmid] });
      if (dying) deaths.set(vmid, setTimeout(() => void die(vmid), secondsOf(dying) * 1000).unref());
    },
    shutdown(vmid, timeoutSeconds, log) {
      spare(vmid);
      return inner.shutdown(vmid, timeoutSeconds, log);
    },
    stop(vmid, log) {
      spare(vmid);
      return inner.stop(vmid, log);
    },
    destroy(vmid, log) {
      spare(vmid);
      return inner.destroy(vmid, log);
    },
  };
  const ofContainers = (containers: ContainerDriver): Partial<ContainerDriver> => ({
    create: (vmid, config, from, log) =>
      struckMidway("vzcreate", [vmid], log, () => containers.create(vmid, config, from, log)),
  });
  const ofVms = (vms: VmDriver): Partial<VmDriver> => ({
    create: (vmid, config, disks, log) =>
      struckMidway("qmcreate", [vmid], log, () => vms.create(vmid, config, disks, log)),
    clone: (vmid, newid, config, copies, log) =>
      struckMidway("qmclone", [vmid, newid], log, () => vms.clone(vmid, newid, config, copies, log)),
    async agent(vmid, command, args) {
      if (faults.strike("no-agent", `guest ${vmid} is asked for ${command}`, { guests: [vmid] }))
        throw failure("QEMU guest agent is not running");
      return vms.agent(vmid, command, args);
    },
  });
  const struck = { ...own, ...(isVmDriver(inner) ? ofVms(inner) : ofContainers(inner as unknown as ContainerDriver)) };
  return new Proxy(inner, {
    get: (target, name: string) => {
      const value: unknown = Reflect.get(struck, name) ?? Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

function isVmDriver(driver: MachineDriver): driver is VmDriver {
  return "agent" in driver;
}

/** The same guest without addresses: a container has them in its networks, a machine gets them by cloud-init. */
function withoutAddresses(config: GuestConfig): GuestConfig {
  const options = new Map(config.options);
  for (const [key, text] of options) {
    if (/^ipconfig\d+$/.test(key)) options.delete(key);
    if (!/^net\d+$/.test(key) || !text.includes("name=")) continue;
    const parts = text.split(",").filter((part) => !/^(ip|gw|ip6|gw6)=/.test(part));
    options.set(key, [...parts, "ip=manual"].join(","));
  }
  return { ...config, options };
}
