/** A task's identity: `UPID:<node>:<pid>:<pstart>:<starttime>:<type>:<id>:<user>:`, numbers in hexadecimal. */
export interface Upid {
  node: string;
  pid: number;
  /** Start of the worker in hundredths of a second since boot. */
  pstart: number;
  /** Seconds since the epoch. */
  starttime: number;
  /** `vzcreate`, `vzstart`, … */
  type: string;
  /** Usually a VMID. */
  id: string;
  /** `user@realm`, or `user@realm!token`. */
  user: string;
}

export function encodeUpid(task: Upid): string {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
  const { node, pid, pstart, starttime, type, id, user } = task;
  return `UPID:${node}:${hex(pid)}:${hex(pstart)}:${hex(starttime)}:${type}:${id}:${user}:`;
}

export function decodeUpid(text: string): Upid | undefined {
  const parts = upidPattern.exec(text)?.groups;
  if (!parts) return undefined;
  return {
    node: parts["node"]!,
    pid: parseInt(parts["pid"]!, 16),
    pstart: parseInt(parts["pstart"]!, 16),
    starttime: parseInt(parts["starttime"]!, 16),
    type: parts["type"]!,
    id: parts["id"]!,
    user: parts["user"]!,
  };
}

const upidPattern =
  /^UPID:(?<node>[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?):(?<pid>[0-9A-Fa-f]{8}):(?<pstart>[0-9A-Fa-f]{8,9}):(?<starttime>[0-9A-Fa-f]{8}):(?<type>[^:\s/]+):(?<id>[^:\s/]*):(?<user>[^:\s/]+):$/;
