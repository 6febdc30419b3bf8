import type { ParameterTable, Params } from "../schema/schema";
import type { PveNode } from "../node";

/** A call that has been authenticated and whose parameters have been checked. */
export interface Call {
  readonly node: PveNode;
  /** `user@realm`, or `user@realm!token`. Empty on the few endpoints that need no login. */
  readonly user: string;
  readonly params: Params;
}

/**
 * Who may call: anybody (`world`), anybody who is logged in (`all`, the endpoint checks more itself), who has privileges
 * at a path (`{vmid}` is filled in), or who passes the endpoint's own check.
 */
export type Permission =
  | "world"
  | "all"
  | { readonly path: string; readonly privileges: readonly string[]; readonly any?: true }
  | ((call: Call) => void);

/** One method of one path of the API. */
export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** As in the official schema, `/nodes/{node}/lxc/{vmid}/config`. */
  readonly path: string;
  /** Path parameters included. */
  readonly parameters: ParameterTable;
  /** More parameters for Proxmox VE's commands on the host, which do the work themselves there, without the API. */
  readonly ofHost?: ParameterTable;
  readonly permission: Permission;
  /** False if an API token is refused and a ticket is needed. */
  readonly allowToken?: false;
  /** Whether a client sends a file as `multipart/form-data`; its path is then in the parameter `tmpfilename`. */
  readonly takesFile?: true;
  /** Returns `data`; undefined becomes `null`. */
  handle(call: Call): unknown;
}

/** A list of which only a part is returned. */
export class Page {
  constructor(
    readonly data: unknown,
    readonly total: number,
  ) {}
}
