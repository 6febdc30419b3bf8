import { ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/** A `k3s` that runs in a sandbox, and its output. */
export interface K3sProcess {
  /** Everything on stdout and stderr so far. */
  output(): string;
  /** Exit code, undefined while it runs. */
  exitCode(): number | undefined;
}

/** The result of a finished command. */
export interface Ended {
  code: number;
  output: string;
}

/**
 * Machines with what K3s needs up to the start of a node's containers: each has its own network, `/etc`, `/var/lib` and `/run`,
 * mounted over the real ones. They are namespaces of one process and end with it.
 */
export class K3sSandbox {
  private readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "k3s-sandbox-"));
  private readonly holder: ChildProcess;
  private readonly running: ChildProcess[] = [];
  private readonly machines = new Map<number, number>();
  private readonly init: number;

  constructor(private readonly binary: string) {
    const flags = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
    const script =
      "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && ip link add br0 type bridge && " +
      "ip addr add 198.18.210.1/24 dev br0 && ip link set br0 up && echo up && exec sleep infinity";
    this.holder = spawn("unshare", [...flags, "sh", "-c", script], { stdio: ["ignore", "pipe", "inherit"] });
    this.init = firstChild(
      this.holder,
      (pid) => /198\.18\.210\.1/.test(inNamespaces(pid, ["-n"], "ip -br addr show br0 up")) || undefined,
    );
  }

  /** Makes machine `198.18.210.<n>`, with a default route and its own folders for K3s. */
  addMachine(n: number): void {
    const inside = `ip netns exec m${n}`;
    this.shell(
      `ip netns add m${n} && ip link add v${n} type veth peer name eth0 netns m${n} && ip link set v${n} master br0 up && ` +
        `${inside} ip link set lo up && ${inside} ip addr add 198.18.210.${n}/24 dev eth0 && ${inside} ip link set eth0 up && ` +
        `${inside} ip route add default via 198.18.210.1`,
    );
    // Mount points are made in a layer over the real /etc and /var/lib, so that those do not change.
    const mounts = ["etc", "var/lib"].map((folder) => {
      const real = path.join(this.files(n), folder, "rancher");
      fs.mkdirSync(real, { recursive: true });
      const layer = `/run/layer/${folder}`;
      return (
        `mkdir -p ${layer}/upper ${layer}/work && ` +
        `mount -t overlay overlay -o lowerdir=/${folder},upperdir=${layer}/upper,workdir=${layer}/work /${folder} && ` +
        `mkdir -p /${folder}/rancher && mount --bind ${real} /${folder}/rancher`
      );
    });
    const script = `mount -t tmpfs tmpfs /run && ${mounts.join(" && ")} && touch /run/made && exec sleep infinity`;
    // Not with `ip netns exec`: that mounts a new sysfs, which hides the cgroups, and without them no K3s agent starts.
    const args = ["nsenter", `--net=/run/netns/m${n}`, "unshare", "--mount", "sh", "-c", script];
    const holder = spawn("nsenter", ["-t", String(this.init), "-m", "-n", "-p", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    this.running.push(holder);
    this.machines.set(
      n,
      firstChild(holder, (pid) => inNamespaces(pid, ["-m"], "ls /run/made").includes("made") || undefined),
    );
  }

  /** Folder with a machine's files: `etc/rancher/…`, `var/lib/rancher/…`. */
  files(n: number): string {
    return path.join(this.folder, `m${n}`);
  }

  /** Writes a file of a machine, mode 0600. */
  write(n: number, name: string, text: string): void {
    const file = path.join(this.files(n), name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text, { mode: 0o600 });
  }

  read(n: number, name: string): string {
    return fs.readFileSync(path.join(this.files(n), name), "utf8").trim();
  }

  /** Starts `k3s` on a machine; it runs until {@link stop} or the end of the sandbox. */
  start(n: number, args: readonly string[]): K3sProcess {
    // A file instead of a pipe: nothing reads a pipe while a test waits for an answer, and K3s blocks if it cannot log.
    const log = path.join(this.folder, `k3s-${this.running.length}.log`);
    const output = fs.openSync(log, "w");
    const child = spawn("nsenter", this.enter(n, args), {
      stdio: ["ignore", output, output],
      env: cleanEnvironment(),
    });
    fs.closeSync(output);
    this.running.push(child);
    return { output: () => fs.readFileSync(log, "utf8"), exitCode: () => child.exitCode ?? undefined };
  }

  /** Runs `k3s` on a machine to its end. */
  run(n: number, args: readonly string[]): Ended {
    const ended = spawnSync("nsenter", this.enter(n, args), {
      encoding: "utf8",
      env: cleanEnvironment(),
      timeout: 60_000,
    });
    return { code: ended.status ?? -1, output: ended.stdout + ended.stderr };
  }

  /** Runs a shell command in the network of the bridge, from which all machines can be reached. */
  shell(command: string): string {
    return execFileSync("nsenter", ["-t", String(this.init), "-m", "-n", "-p", "sh", "-c", command], {
      encoding: "utf8",
    });
  }

  /** Kills all `k3s` processes of a machine, and what they have started. */
  stop(n: number): void {
    const status = fs.readFileSync(`/proc/${this.machine(n)}/status`, "utf8");
    const keeper = /^NSpid:.*\s(\d+)$/m.exec(status)![1]!;
    this.shell(`pids=$(ip netns pids m${n} | grep -vx ${keeper}) || exit 0; kill -9 $pids 2>/dev/null || true`);
  }

  /** Deletes all files of K3s on a machine. */
  empty(n: number): void {
    for (const folder of ["etc/rancher", "var/lib/rancher"]) {
      const real = path.join(this.files(n), folder);
      for (const entry of fs.readdirSync(real)) fs.rmSync(path.join(real, entry), { recursive: true, force: true });
    }
  }

  close(): void {
    for (const child of this.running) child.kill("SIGKILL");
    this.holder.kill("SIGKILL");
    try {
      process.kill(this.init, "SIGKILL");
    } catch {
      // gone with its parent
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  private enter(n: number, args: readonly string[]): string[] {
    return ["-t", String(this.machine(n)), "-m", "-n", "-p", this.binary, ...args];
  }

  private machine(n: number): number {
    const pid = this.machines.get(n);
    if (pid === undefined) throw new Error(`there is no machine ${n}`);
    return pid;
  }
}

/** PID of a process's child, as soon as `isReady` is true for it. */
function firstChild(parent: ChildProcess, isReady: (pid: string) => true | undefined): number {
  for (let tries = 0; tries < 200; tries++) {
    const child = spawnSync("pgrep", ["-P", String(parent.pid)], { encoding: "utf8" }).stdout.trim();
    if (child && isReady(child)) return Number(child);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
  parent.kill("SIGKILL");
  throw new Error("the sandbox did not come up: it needs root and namespaces");
}

function inNamespaces(pid: string, which: readonly string[], command: string): string {
  return spawnSync("nsenter", ["-t", pid, ...which, "sh", "-c", command], { encoding: "utf8" }).stdout;
}

/** The environment without variables that K3s would read. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(K3S_|KUBECONFIG|NOTIFY_SOCKET|INVOCATION_ID)/.test(name),
  );
  return Object.fromEntries(kept);
}
