import * as fs from "node:fs";
import { CommandError, run } from "../host/run";

/** The commands of LXC for the containers below one folder. */
export class LxcTools {
  constructor(
    private readonly lxcPath: string,
    private readonly logDir: string,
  ) {}

  /** Process number of the container's init; undefined if it does not run. */
  async initPid(vmid: number): Promise<number | undefined> {
    if (!fs.existsSync(`${this.lxcPath}/${vmid}/config`)) return undefined;
    const info = await run("lxc-info", [...this.of(vmid), "-s", "-p"]);
    const pid = /^PID:\s*(\d+)/m.exec(info)?.[1];
    return /^State:\s*RUNNING/m.test(info) && pid ? Number(pid) : undefined;
  }

  /** @throws Error with LXC's own error lines. */
  async start(vmid: number): Promise<void> {
    const logFile = `${this.logDir}/lxc-${vmid}.log`;
    fs.rmSync(logFile, { force: true });
    try {
      await run("lxc-start", [...this.of(vmid), "-d", "-o", logFile, "-l", "WARN"]);
    } catch (error) {
      const lines = fs.existsSync(logFile) ? fs.readFileSync(logFile, "utf8").split("\n") : [];
      const causes = lines.filter((line) => / ERROR /.test(line)).map((line) => line.replace(/^.* - /, ""));
      const cause = causes.length > 0 ? causes.join("\n") : (error as Error).message;
      throw new Error(`startup for container '${vmid}' failed\n${cause}`);
    }
  }

  /** Signals the container's init to power off; false if it still runs after that time. */
  async shutdown(vmid: number, timeoutSeconds: number): Promise<boolean> {
    try {
      await run("lxc-stop", [...this.of(vmid), "--nokill", "--timeout", String(timeoutSeconds)]);
      return true;
    } catch (error) {
      if (error instanceof CommandError && (await this.initPid(vmid)) === undefined) return true;
      return false;
    }
  }

  async kill(vmid: number): Promise<void> {
    await run("lxc-stop", [...this.of(vmid), "--kill"]);
  }

  /** Waits until LXC has cleaned up after a container that was stopped. */
  async awaitStopped(vmid: number): Promise<void> {
    await run("lxc-wait", [...this.of(vmid), "-s", "STOPPED", "-t", "30"]);
  }

  private of(vmid: number): string[] {
    return ["-P", this.lxcPath, "-n", String(vmid)];
  }
}
