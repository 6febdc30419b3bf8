import * as fs from "node:fs";

/** @throws Error with one sentence if the machine cannot run the lab. */
export function assertMachine(): void {
  if (process.platform !== "linux") throw new Error("The lab runs containers and needs a Linux machine.");
  if (process.getuid?.() !== 0) throw new Error("The lab runs containers and needs root: run it as root or with sudo.");
  if (process.arch !== "x64") throw new Error("The lab's images and K3s are for x86-64 machines.");
  for (const [need, file] of Object.entries(kernelNeeds)) {
    if (!fs.existsSync(file)) throw new Error(`The lab needs a kernel with ${need} (${file} is missing).`);
  }
}

const kernelNeeds = {
  "cgroups mounted at /sys/fs/cgroup": "/sys/fs/cgroup",
  "PID namespaces": "/proc/self/ns/pid",
  "network namespaces": "/proc/self/ns/net",
  "cgroup namespaces": "/proc/self/ns/cgroup",
};
