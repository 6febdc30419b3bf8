import { root } from "../access/permissions";
import { parameterError } from "../errors";
import { rebootTask, shutdownTask, startTask, stopTask } from "../guests/lifecycle";
import { guestStatus } from "../guests/status";
import type { Call, Endpoint } from "../http/endpoint";
import { count, flag, onGuest } from "./parameters";

const statusPath = "/nodes/{node}/lxc/{vmid}/status";
const power = { path: "/vms/{vmid}", privileges: ["VM.PowerMgmt"] };

/** Status of a container and what changes it. */
export const lxcStatusEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: statusPath,
    parameters: onGuest,
    permission: "all",
    handle: ({ node, params }) => {
      node.guests.load(vmidOf(params));
      return ["current", "start", "stop", "shutdown", "reboot"].map((subdir) => ({ subdir }));
    },
  },
  {
    method: "GET",
    path: `${statusPath}/current`,
    parameters: onGuest,
    permission: { path: "/vms/{vmid}", privileges: ["VM.Audit"] },
    handle: async ({ node, params }) => ({ ...(await guestStatus(node, vmidOf(params))), ha: { managed: 0 } }),
  },
  {
    method: "POST",
    path: `${statusPath}/start`,
    parameters: { ...onGuest, skiplock: flag, debug: flag },
    permission: power,
    handle: (call) => startTask(call.node, call.user, vmidOf(call.params), skipsLock(call)),
  },
  {
    method: "POST",
    path: `${statusPath}/stop`,
    parameters: { ...onGuest, skiplock: flag, "overrule-shutdown": flag },
    permission: power,
    handle: (call) => stopTask(call.node, call.user, vmidOf(call.params), skipsLock(call)),
  },
  {
    method: "POST",
    path: `${statusPath}/shutdown`,
    parameters: { ...onGuest, timeout: count, forceStop: flag },
    permission: power,
    handle: ({ node, user, params }) =>
      shutdownTask(node, user, vmidOf(params), { ...timeoutOf(params), force: params["forceStop"] === "1" }),
  },
  {
    method: "POST",
    path: `${statusPath}/reboot`,
    parameters: { ...onGuest, timeout: count },
    permission: power,
    handle: ({ node, user, params }) => rebootTask(node, user, vmidOf(params), timeoutOf(params).timeoutSeconds),
  },
];

function vmidOf(params: Call["params"]): number {
  return Number(params["vmid"]);
}

function timeoutOf({ timeout }: Call["params"]): { timeoutSeconds?: number } {
  return timeout === undefined ? {} : { timeoutSeconds: Number(timeout) };
}

function skipsLock({ user, params }: Call): boolean {
  const skip = params["skiplock"] === "1";
  if (skip && user !== root) throw parameterError({ skiplock: "Only root may use this option." });
  return skip;
}
