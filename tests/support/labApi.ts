import { finish, type Lab } from "./lab";

/** Calls the lab's API with curl, the lab's token and its certificate, as a person does. */
export class LabApi {
  constructor(private readonly lab: Lab) {}

  /** The answer's `data`. @throws Error for any status but 200 */
  async call(method: string, path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const env = this.lab.environment;
    const url = `${env["PROXMOX_VE_ENDPOINT"]}api2/json${path}`;
    const fields = Object.entries(parameters).flatMap(([name, value]) => ["--data-urlencode", `${name}=${value}`]);
    // The header is passed on standard input: every user of the machine could read the token in an argument.
    const header = `Authorization: PVEAPIToken=${env["PROXMOX_VE_API_TOKEN"]}\n`;
    const args = [
      "-sS",
      "-X",
      method,
      "-H",
      "@-",
      "-w",
      "\n%{http_code}",
      ...(method === "GET" ? ["-G"] : []),
      ...fields,
    ];
    const { code, stdout, stderr } = await finish("curl", [...args, url], env, header);
    const [, body = "", status] = /^([^]*)\n(\d+)$/.exec(stdout) ?? [];
    if (code !== 0 || status !== "200") throw new Error(`${method} ${path}: ${status} ${body}${stderr}`);
    return (JSON.parse(body) as { data: unknown }).data;
  }

  /** Makes a call that starts a task, and waits until the task ends. @throws Error unless it succeeds */
  async task(method: string, path: string, parameters: Readonly<Record<string, string>> = {}): Promise<void> {
    const upid = encodeURIComponent(String(await this.call(method, path, parameters)));
    for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
      const status = (await this.call("GET", `/nodes/pve/tasks/${upid}/status`)) as TaskStatus;
      if (status.status === "running") await new Promise((resolve) => setTimeout(resolve, 200));
      else if (/^(OK|WARNINGS)/.test(status.exitstatus ?? "")) return;
      else throw new Error(`${method} ${path}: ${status.exitstatus}`);
    }
    throw new Error(`${method} ${path}: the task does not end`);
  }
}

interface TaskStatus {
  status: string;
  exitstatus?: string;
}
