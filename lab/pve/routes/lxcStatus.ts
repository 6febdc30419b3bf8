import { rebootTask, shutdownTask, startTask, stopTask } from "../guests/lifecycle";
import { containerStatus } from "../guests/status";
import type { Endpoint } from "../http/endpoint";
import { count, flag, onGuest, skipsLock, timeoutOf, vmidOf } from "./parameters";

const statusPath = "/nodes/{node}/lxc/{vmid}/status";
const power = { path: "/vms/{vmid}", privileges: ["VM.PowerMgmt"] };

/** Status of a container, and its start, stop and so on. */
export const lxcStatusEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: statusPath,
    parameters: onGuest,
    permission: "all",
    handle: (call) => {
      call.node.lxc.guests.load(vmidOf(call));
      return ["current", "start", "stop", "shutdown", "reboot"].map((subdir) => ({ subdir }));
    },
  },
  {
    method: "GET",
    path: `${statusPath}/current`,
    parameters: onGuest,
    permission: { path: "/vms/{vmid}", privileges: ["VM.Audit"] },
    handle: async (call) => ({ ...(await containerStatus(call.node.lxc, vmidOf(call))), ha: { managed: 0 } }),
  },
  {
    method: "POST",
    path: `${statusPath}/start`,
    parameters: { ...onGuest, skiplock: flag, debug: flag },
    permission: power,
    handle: (call) => startTask(call.node.lxc, call.user, vmidOf(call), skipsLock(call)),
  },
  {
    method: "POST",
    path: `${statusPath}/stop`,
    parameters: { ...onGuest, skiplock: flag, "overrule-shutdown": flag },
    permission: power,
    handle: (call) => stopTask(call.node.lxc, call.user, vmidOf(call), skipsLock(call)),
  },
  {
    method: "POST",
    path: `${statusPath}/shutdown`,
    parameters: { ...onGuest, timeout: count, forceStop: flag },
    permission: power,
    handle: (call) =>
      shutdownTask(call.node.lxc, call.user, vmidOf(call), {
        ...timeoutOf(call),
        force: call.params["forceStop"] === "1",
      }),
  },
  {
    method: "POST",
    path: `${statusPath}/reboot`,
    parameters: { ...onGuest, timeout: count },
    permission: power,
    handle: (call) => rebootTask(call.node.lxc, call.user, vmidOf(call), timeoutOf(call).timeoutSeconds),
  },
];
