import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { identify, labNetwork, labPaths, ProcessId, repoDir } from "../lab";

/** What the Proxmox host is made of. */
export interface HostParts {
  /** Root file system, read-only. */
  readonly image: string;
  /** The guests' template. */
  readonly template: string;
  /** K3s artifact folder. */
  readonly artifacts: string;
  /** Node.js for the host's services. */
  readonly node: string;
  /** The image of virtual machines, if the host runs some. */
  readonly vmImage?: string;
  /** Path of docker-registry, if the host runs one. */
  readonly registry?: string;
}

/**
 * Starts a lab's first process, in its own namespaces, and leaves it running when the caller ends.
 *
 * It gets only the environment variables that it needs, so that no credential of the person's gets into the lab.
 */
export async function startInit(name: string, subnet: number, parts: HostParts): Promise<ProcessId> {
  const paths = labPaths(name);
  const { host, innerLink } = labNetwork(subnet);
  const env = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    LANG: "C.UTF-8",
    LAB_NAME: name,
    LAB_STATE: paths.state,
    LAB_IMAGE: parts.image,
    LAB_REPO: repoDir,
    LAB_NODE: parts.node,
    LAB_TEMPLATE: parts.template,
    LAB_TEMPLATE_NAME: path.basename(parts.template),
    LAB_ARTIFACTS: parts.artifacts,
    LAB_ADDRESS: host,
    LAB_UPLINK: innerLink,
    ...(parts.vmImage !== undefined && {
      LAB_VM_IMAGE: parts.vmImage,
      LAB_VM_IMAGE_NAME: path.basename(parts.vmImage),
    }),
    ...(parts.registry !== undefined && { LAB_REGISTRY: parts.registry }),
    // For tests: keeps the API's requests and answers with its logs, without secrets.
    ...(process.env["PROXMOX_K3S_LAB_EXCHANGES"] && { LAB_EXCHANGES: "1" }),
  };
  const namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--fork"];
  const output = fs.openSync(path.join(paths.logs, "init.log"), "a");
  const unshare = spawn("unshare", [...namespaces, "sh", path.join(__dirname, "init.sh")], {
    detached: true,
    stdio: ["ignore", output, output],
    cwd: "/",
    env,
  });
  fs.closeSync(output);
  const failed = new Promise<never>((_, reject) => {
    unshare.once("error", reject);
    unshare.once("exit", () => reject(new Error(`The lab's first process ended: ${lastLines(paths.logs)}`)));
  });
  try {
    return await Promise.race([firstChild(unshare.pid), failed]);
  } finally {
    failed.catch(() => {});
    unshare.unref();
  }
}

/** `unshare` forks: the first process in the new PID namespace is its child. */
async function firstChild(parent: number | undefined): Promise<ProcessId> {
  for (;;) {
    const file = `/proc/${parent}/task/${parent}/children`;
    const pid = fs.existsSync(file) ? Number(fs.readFileSync(file, "utf8").split(" ")[0]) : 0;
    const process = pid ? identify(pid) : undefined;
    if (process) return process;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The last lines of the host's services' logs: the cause, if the lab does not start. */
export function lastLines(logDir: string): string {
  const logs = ["init.log", "host.log", "api.log", "sshd.log", "registry.log"].map((log) => path.join(logDir, log));
  return logs
    .filter((log) => fs.existsSync(log) && fs.statSync(log).size > 0)
    .map(
      (log) =>
        `\n--- ${path.basename(log)}\n${fs.readFileSync(log, "utf8").trimEnd().split("\n").slice(-8).join("\n")}`,
    )
    .join("");
}
