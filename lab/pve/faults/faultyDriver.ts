import type { GuestDriver } from "../driver";
import { messageOf, WorkerKilled } from "../errors";
import type { GuestConfig } from "../guestConfig";
import { secondsOf } from "./fault";
import type { Faults } from "./faults";

/**
 * A driver whose guests are struck by faults: half-made ones, ones without addresses, and ones that end by themselves.
 * All else is the inner driver's.
 */
export function faultyDriver(inner: GuestDriver, faults: Faults): GuestDriver {
  /** Ends of guests that are to come. */
  const deaths = new Map<number, NodeJS.Timeout>();
  /** A guest that ends otherwise is not struck again after its next start. */
  const spare = (vmid: number) => {
    clearTimeout(deaths.get(vmid));
    deaths.delete(vmid);
  };
  const die = (vmid: number) =>
    inner.stop(vmid, () => {}).catch((error) => console.error(`guest ${vmid}: ${messageOf(error)}`));

  const own: Partial<GuestDriver> = {
    /**
     * A create is struck here and not at its task's beginning: its file has been written by now, as in the long time that
     * unpacking takes on a real host. A worker that is killed has unpacked all and released nothing.
     */
    async create(vmid, config, from, log) {
      try {
        await faults.strikeTask("vzcreate", vmid, log);
      } catch (error) {
        if (error instanceof WorkerKilled) await inner.create(vmid, config, from, log);
        throw error;
      }
      await inner.create(vmid, config, from, log);
    },
    async start(vmid, config, log) {
      const what = `guest ${vmid} starts`;
      const isMute = faults.strike("no-address", what, { guest: vmid });
      await inner.start(vmid, isMute ? withoutAddresses(config) : config, log);
      const dying = faults.strike("guest-dies", what, { guest: vmid });
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
  return new Proxy(inner, {
    get: (target, name: keyof GuestDriver) => own[name] ?? target[name].bind(target),
  });
}

/** The same guest with links that nobody gives an address. */
function withoutAddresses(config: GuestConfig): GuestConfig {
  const options = new Map(config.options);
  for (const [key, text] of options) {
    if (!/^net\d+$/.test(key)) continue;
    const parts = text.split(",").filter((part) => !/^(ip|gw|ip6|gw6)=/.test(part));
    options.set(key, [...parts, "ip=manual"].join(","));
  }
  return { ...config, options };
}
