import { failure } from "../errors";
import { isRunning } from "../guests/lifecycle";
import type { Call, Endpoint, Permission } from "../http/endpoint";
import { listParameter, optional, required } from "../schema/schema";
import { readGuestFile, writeGuestFile, type Ask } from "../vms/agentFiles";
import { flag, onGuest, vmidOf } from "./parameters";

const agentPath = "/nodes/{node}/qemu/{vmid}/agent";
const maxReadBytes = 16 * 1024 ** 2;
const maxWriteBytes = 60 * 1024;

/** Commands without arguments: method, and the privilege that they need; `VM.GuestAgent.Unrestricted` allows all. */
const commands: Readonly<Record<string, readonly ["GET" | "POST", string]>> = {
  ping: ["POST", "VM.GuestAgent.Audit"],
  info: ["GET", "VM.GuestAgent.Audit"],
  "get-time": ["GET", "VM.GuestAgent.Audit"],
  "get-host-name": ["GET", "VM.GuestAgent.Audit"],
  "get-osinfo": ["GET", "VM.GuestAgent.Audit"],
  "get-users": ["GET", "VM.GuestAgent.Audit"],
  "get-vcpus": ["GET", "VM.GuestAgent.Audit"],
  "get-fsinfo": ["GET", "VM.GuestAgent.Audit"],
  "network-get-interfaces": ["GET", "VM.GuestAgent.Audit"],
  "fsfreeze-status": ["POST", "VM.GuestAgent.FileSystemMgmt"],
  "fsfreeze-freeze": ["POST", "VM.GuestAgent.FileSystemMgmt"],
  "fsfreeze-thaw": ["POST", "VM.GuestAgent.FileSystemMgmt"],
  fstrim: ["POST", "VM.GuestAgent.FileSystemMgmt"],
  shutdown: ["POST", "VM.PowerMgmt"],
};

/** Every command of the older endpoint, also those that this double does not serve. */
const olderCommands = [
  ...Object.keys(commands),
  ...["get-memory-block-info", "get-memory-blocks", "get-timezone", "suspend-disk", "suspend-hybrid", "suspend-ram"],
].sort();

const all = { path: "/vms/{vmid}", privileges: ["VM.GuestAgent.Unrestricted"] };
const any = (...privileges: string[]): Permission => ({
  path: "/vms/{vmid}",
  privileges: [...privileges, "VM.GuestAgent.Unrestricted"],
  any: true,
});

/** Commands for the guest agent of a virtual machine. */
export const qemuAgentEndpoints: readonly Endpoint[] = [
  {
    method: "POST",
    path: agentPath,
    parameters: { ...onGuest, command: required("string", { enum: olderCommands }) },
    permission: all,
    handle: async (call) => ({ result: await ask(call, call.params["command"]!) }),
  },
  ...Object.entries(commands).map(([command, [method, privilege]]): Endpoint => ({
    method,
    path: `${agentPath}/${command}`,
    parameters: onGuest,
    permission: command === "fsfreeze-status" ? any("VM.GuestAgent.Audit", privilege) : any(privilege),
    handle: async (call) => ({ result: await ask(call, command) }),
  })),
  {
    method: "POST",
    path: `${agentPath}/exec`,
    parameters: {
      ...onGuest,
      command: { type: "array" },
      "input-data": optional("string", { maxLength: 64 * 1024 }),
    },
    ofHost: { "input-data": optional("string", {}) },
    permission: all,
    handle: (call) => {
      const [path, ...arg] = listParameter(call.params["command"]);
      const input = call.params["input-data"];
      return ask(call, "exec", {
        ...{ path, arg, "capture-output": true },
        ...(input !== undefined && { "input-data": Buffer.from(input).toString("base64") }),
      });
    },
  },
  {
    method: "GET",
    path: `${agentPath}/exec-status`,
    parameters: { ...onGuest, pid: required("integer") },
    permission: all,
    handle: execStatus,
  },
  {
    method: "GET",
    path: `${agentPath}/file-read`,
    parameters: {
      ...{ ...onGuest, file: required("string"), decode: flag },
      count: optional("integer", { minimum: 1, maximum: maxReadBytes }),
      offset: optional("integer", { minimum: 0 }),
    },
    permission: any("VM.GuestAgent.FileRead"),
    handle: fileRead,
  },
  {
    method: "POST",
    path: `${agentPath}/file-write`,
    parameters: {
      ...{ ...onGuest, file: required("string"), encode: flag },
      content: required("string", { maxLength: maxWriteBytes }),
    },
    permission: any("VM.GuestAgent.FileWrite"),
    handle: async (call) => {
      const { file = "", content = "", encode } = call.params;
      await writeGuestFile(asking(call), file, Buffer.from(content, encode === "0" ? "base64" : "utf8"));
    },
  },
];

/** `assert_agent_available`, then the command. @throws ApiError 500 that says what is missing. */
async function ask(call: Call, command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
  const { guests, driver } = call.node.qemu;
  const vmid = vmidOf(call);
  if (!guests.load(vmid).file.options.has("agent")) throw failure("No QEMU guest agent configured");
  if (!(await isRunning(call.node.qemu, vmid))) throw failure(`VM ${vmid} is not running`);
  return driver.agent(vmid, command, args);
}

function asking(call: Call): Ask {
  return (command, args) => ask(call, command, args);
}

/** The output as the process wrote it, and flags as numbers. */
async function execStatus(call: Call): Promise<unknown> {
  const found = (await ask(call, "exec-status", { pid: Number(call.params["pid"]) })) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(found).map(([key, value]) => {
      if (typeof value === "boolean") return [key, Number(value)];
      return [key, /^(out|err)-data$/.test(key) ? Buffer.from(String(value), "base64").toString() : value];
    }),
  );
}

async function fileRead(call: Call): Promise<unknown> {
  const { file = "", decode, count = maxReadBytes, offset = 0 } = call.params;
  const part = await readGuestFile(asking(call), file, Number(offset), Number(count));
  return {
    content: part.content.toString(decode === "0" ? "base64" : "utf8"),
    "bytes-read": part.content.length,
    ...(part.isTruncated && { truncated: 1 }),
  };
}
