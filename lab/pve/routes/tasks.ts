import { parameterError } from "../errors";
import { Page, type Call, type Endpoint } from "../http/endpoint";
import { splitList } from "../schema/formats";
import { optional } from "../schema/schema";
import { decodeUpid, type Upid } from "../upid";
import { count, flag, node, optionalVmid, text, upid } from "./parameters";

const taskPath = "/nodes/{node}/tasks/{upid}";

/** Tasks of the node: list, status, log, abort. */
export const taskEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/nodes/{node}/tasks",
    parameters: {
      ...{ node, start: count, limit: count, userfilter: text, typefilter: text, vmid: optionalVmid, errors: flag },
      source: optional("string", { enum: ["archive", "active", "all"] }),
      since: optional("integer"),
      until: optional("integer"),
      statusfilter: optional("string", { format: "pve-task-status-type-list" }),
    },
    permission: "all",
    handle: list,
  },
  {
    method: "GET",
    path: taskPath,
    parameters: { node, upid },
    permission: "all",
    handle: () => [{ name: "log" }, { name: "status" }],
  },
  {
    method: "DELETE",
    path: taskPath,
    parameters: { node, upid },
    permission: "all",
    handle: (call) => {
      const id = existing(call);
      checkOwner(call, id, "Sys.Modify");
      call.node.tasks.abort(id);
    },
  },
  { method: "GET", path: `${taskPath}/status`, parameters: { node, upid }, permission: "all", handle: status },
  {
    method: "GET",
    path: `${taskPath}/log`,
    parameters: { node, upid, start: count, limit: count, download: flag },
    permission: "all",
    handle: log,
  },
];

function list(call: Call): unknown {
  const { node: pve, user, params } = call;
  const source = params["source"] ?? "archive";
  const entries = [
    ...(source === "archive" ? [] : pve.tasks.active().map((id) => ({ ...shown(id), status: "RUNNING" }))),
    ...(source === "active"
      ? []
      : pve.tasks
          .finished()
          .map(({ upid: id, endtime, status: outcome }) => ({ ...shown(id), endtime, status: outcome }))),
  ];
  const seesAll = pve.access.permissions().has(user, `/nodes/${pve.name}`, ["Sys.Audit"]);
  const wanted = params["errors"] === "1" ? ["warning", "error", "unknown"] : splitList(params["statusfilter"]);
  const matching = entries.filter(
    (task) =>
      (seesAll || isOwner(user, task)) &&
      (params["userfilter"] === undefined || task.user.includes(params["userfilter"])) &&
      (params["typefilter"] === undefined || task.type === params["typefilter"]) &&
      (params["vmid"] === undefined || task.id === params["vmid"]) &&
      (params["since"] === undefined || task.starttime >= Number(params["since"])) &&
      (params["until"] === undefined || task.starttime <= Number(params["until"])) &&
      (wanted.length === 0 || wanted.includes(statusType(task.status))),
  );
  const start = Number(params["start"] ?? 0);
  return new Page(matching.slice(start, start + Number(params["limit"] ?? 50)), matching.length);
}

function status(call: Call): unknown {
  const id = existing(call);
  checkOwner(call, id, "Sys.Audit");
  const { tasks } = call.node;
  if (tasks.isRunning(id)) return { ...shown(id), status: "running" };
  return { ...shown(id), status: "stopped", exitstatus: tasks.exitStatus(id) };
}

function log(call: Call): unknown {
  const id = existing(call);
  checkOwner(call, id, "Sys.Audit");
  const lines = call.node.tasks.lines(id);
  const start = Number(call.params["start"] ?? 0);
  const numbered = lines.map((t, index) => ({ n: index + 1, t }));
  // PVE gives `no content` for an empty log, so that a reader always finds a line.
  if (numbered.length === 0) return new Page([{ n: 1, t: "no content" }], 1);
  return new Page(numbered.slice(start, start + Number(call.params["limit"] ?? 50)), lines.length);
}

function existing({ node: pve, params }: Call): string {
  const id = params["upid"]!;
  if (!decodeUpid(id)) throw parameterError({ upid: "unable to parse worker upid" });
  if (!pve.tasks.exists(id)) throw parameterError({ upid: "no such task" });
  return id;
}

/** The task without its token in `user`, as the API shows it. */
function shown(id: string): Upid & { upid: string; tokenid?: string } {
  const task = decodeUpid(id)!;
  const [user = "", tokenid] = task.user.split("!");
  return { ...task, user, ...(tokenid !== undefined && { tokenid }), upid: id };
}

/** A token sees its own tasks, a user those of its tokens too. */
function isOwner(user: string, task: { user: string; tokenid?: string }): boolean {
  const owner = task.tokenid === undefined ? task.user : `${task.user}!${task.tokenid}`;
  return user === owner || user === task.user;
}

function checkOwner({ node: pve, user }: Call, id: string, privilege: string): void {
  if (!isOwner(user, shown(id))) pve.access.permissions().check(user, `/nodes/${pve.name}`, [privilege]);
}

function statusType(outcome: string): string {
  if (outcome === "OK") return "ok";
  if (outcome.startsWith("WARNINGS: ")) return "warning";
  return outcome === "unexpected status" ? "unknown" : "error";
}
