import type { ContainerDriver, GuestInterface, GuestSource, GuestStatus, TaskLog } from "./driver";
import type { GuestConfig } from "./guestConfig";

/** The state of a simulated guest. */
export interface SimulatedGuest {
  readonly source: GuestSource;
  /** The configuration of its last start. */
  config: GuestConfig;
  /** Milliseconds since the epoch; undefined if it is stopped. */
  startedAt?: number;
  /** Options that were applied while it ran, in order. */
  readonly applied: string[];
}

export interface SimulatedDriverOptions {
  /** How long each kind of work takes. Default 0. */
  readonly delayMs?: number;
  /** How long after its start a guest has addresses. Default 0. */
  readonly addressDelayMs?: number;
  /** Guests that do not power off when asked. */
  readonly ignoresShutdown?: (vmid: number) => boolean;
}

/**
 * Guests that are records only: nothing runs in them. For the many tests that need no machine, only its surroundings. The
 * real driver is the one for LXC.
 */
export class SimulatedDriver implements ContainerDriver {
  readonly guests = new Map<number, SimulatedGuest>();

  constructor(private readonly options: SimulatedDriverOptions = {}) {}

  async create(vmid: number, config: GuestConfig, from: GuestSource, log: TaskLog): Promise<void> {
    await this.work();
    if (this.guests.has(vmid)) throw new Error(`guest ${vmid} exists already`);
    log("Detected container architecture: amd64");
    if (config.options.get("ostype") !== "unmanaged") warnOfNesting(config, log);
    this.guests.set(vmid, { source: from, config, applied: [] });
  }

  async clone(vmid: number, newid: number, config: GuestConfig, log: TaskLog): Promise<void> {
    await this.work();
    const { source } = this.known(vmid);
    if (this.guests.has(newid)) throw new Error(`guest ${newid} exists already`);
    if (config.options.get("ostype") !== "unmanaged") warnOfNesting(config, log);
    this.guests.set(newid, { source, config, applied: [] });
  }

  async start(vmid: number, config: GuestConfig, log: TaskLog): Promise<void> {
    await this.work();
    const guest = this.known(vmid);
    if (guest.startedAt !== undefined) throw new Error(`guest ${vmid} runs already`);
    if (config.options.get("ostype") !== "unmanaged") warnOfNesting(config, log);
    guest.config = config;
    guest.startedAt = Date.now();
  }

  async shutdown(vmid: number, _timeoutSeconds: number, log: TaskLog): Promise<boolean> {
    await this.work();
    if (this.options.ignoresShutdown?.(vmid)) {
      log(`command 'lxc-stop -n ${vmid} --nokill' failed: exit code 1`);
      return false;
    }
    delete this.known(vmid).startedAt;
    return true;
  }

  async stop(vmid: number): Promise<void> {
    await this.work();
    delete this.known(vmid).startedAt;
  }

  async destroy(vmid: number): Promise<void> {
    await this.work();
    this.guests.delete(vmid);
  }

  async resize(vmid: number, config: GuestConfig): Promise<void> {
    await this.work();
    this.known(vmid).config = config;
  }

  async apply(vmid: number, _config: GuestConfig, changed: readonly string[]): Promise<void> {
    this.known(vmid).applied.push(...changed);
  }

  async status(vmid: number): Promise<GuestStatus> {
    const startedAt = this.guests.get(vmid)?.startedAt;
    if (startedAt === undefined) return { running: false, uptimeSeconds: 0, cpu: 0, memBytes: 0, diskBytes: 0 };
    return {
      running: true,
      pid: 10_000 + vmid,
      uptimeSeconds: (Date.now() - startedAt) / 1000,
      cpu: 0.01,
      memBytes: 64 * 1024 ** 2,
      diskBytes: 512 * 1024 ** 2,
    };
  }

  async interfaces(vmid: number): Promise<GuestInterface[]> {
    const guest = this.guests.get(vmid);
    if (guest?.startedAt === undefined) return [];
    const hasAddresses = Date.now() - guest.startedAt >= (this.options.addressDelayMs ?? 0);
    const networks = [...guest.config.options].filter(([key]) => /^net\d+$/.test(key));
    return [
      { name: "lo", hwaddr: "00:00:00:00:00:00", inet: "127.0.0.1/8", inet6: "::1/128" },
      ...networks.map(([, text]) => simulatedInterface(text, hasAddresses)),
    ];
  }

  private known(vmid: number): SimulatedGuest {
    const guest = this.guests.get(vmid);
    if (!guest) throw new Error(`no guest ${vmid}`);
    return guest;
  }

  private async work(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.options.delayMs ?? 0));
  }
}

/** An interface with the static addresses of `name=eth0,hwaddr=…,ip=198.18.1.20/24`. */
function simulatedInterface(text: string, hasAddresses: boolean): GuestInterface {
  const part = (key: string) => new RegExp(`(?:^|,)${key}=([^,]+)`).exec(text)?.[1];
  const inet = part("ip");
  const inet6 = part("ip6");
  return {
    name: part("name") ?? "eth0",
    hwaddr: (part("hwaddr") ?? "").toLowerCase(),
    ...(hasAddresses && inet?.includes("/") && { inet }),
    ...(hasAddresses && inet6?.includes("/") && { inet6 }),
  };
}

/** PVE's warning for a system with a recent systemd and no nesting: the task ends as `WARNINGS: 1`. */
function warnOfNesting(config: GuestConfig, log: TaskLog): void {
  if (/(^|,)nesting=1/.test(config.options.get("features") ?? "")) return;
  log("WARN: Systemd 249 detected. You may need to enable nesting.");
}
