import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse, stringify } from "yaml";
import { removeStackConfig, stackFile } from "../lab/stack";
import { finish, type Lab } from "../tests/support/lab";
import { clusterOf, readLabStack } from "./labStack";
import { time, type Timing } from "./timing";

const CREDENTIALS = ["PROXMOX_VE_API_TOKEN", "PROXMOX_K3S_HOST_SSH_KEY_FILE", "PROXMOX_K3S_NODE_SSH_KEY_FILE"];

/**
 * Times the first preview of a cluster, without credentials and without a host. It uses a separate stack and state; the config
 * is that of the lab with more workers.
 * @param nodes servers and workers together
 */
export async function timePreview(lab: Lab, nodes: number): Promise<Timing> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bench-"));
  const name = `${lab.stack}-preview`;
  const env: NodeJS.ProcessEnv = { ...lab.environment, PULUMI_BACKEND_URL: `file://${folder}`, PULUMI_STACK: name };
  for (const credential of CREDENTIALS) delete env[credential];
  const pulumi = async (...args: string[]): Promise<void> => {
    const { code, stdout, stderr } = await finish("pulumi", [...args, "--non-interactive"], env);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")}:\n${stdout}${stderr}`);
  };
  try {
    await pulumi("stack", "init", name);
    const stack = readLabStack(lab);
    clusterOf(stack).pools.worker.count = nodes - 1;
    const salt = parse(fs.readFileSync(stackFile(name), "utf8")) as object;
    fs.writeFileSync(stackFile(name), stringify({ ...salt, ...stack }));
    return await time(() => pulumi("preview"));
  } finally {
    removeStackConfig(name);
    fs.rmSync(folder, { recursive: true });
  }
}
