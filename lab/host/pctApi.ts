import * as http from "node:http";
import { apiSocket } from "./apiSocket";

/** Arguments of a call, as text. */
export type Parameters = Readonly<Record<string, string>>;

interface Answer {
  data?: unknown;
  message?: string;
  errors?: Record<string, string>;
}

/**
 * Calls the API as root@pam over a socket and returns `data`.
 *
 * @throws Error with the API's message and the errors of single parameters.
 */
export type CallApi = (...call: CallArguments) => Promise<unknown>;

/** A list is sent as a repeated parameter. */
type CallArguments = [method: string, path: string, parameters: Readonly<Record<string, string | readonly string[]>>];

/** The API at the socket of the Proxmox host that this runs on. */
export const callApi: CallApi = (...call) => callApiAt(apiSocket, ...call);

/** The same at another socket. */
export function callApiAt(socketPath: string, ...[method, path, parameters]: CallArguments): Promise<unknown> {
  const items = Object.entries(parameters).flatMap(([name, value]) => [value].flat().map((item) => [name, item]));
  const form = new URLSearchParams(items).toString();
  const hasBody = method === "POST" || method === "PUT";
  const target = `/api2/json${path}${hasBody || !form ? "" : `?${form}`}`;
  const headers = hasBody ? { "content-type": "application/x-www-form-urlencoded" } : {};
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path: target, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("error", reject).on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const answer = parse(Buffer.concat(chunks).toString());
        if (response.statusCode === 200) return resolve(answer.data);
        const details = Object.entries(answer.errors ?? {}).map(([name, text]) => `${name}: ${text}`);
        const message = answer.message?.trim() || response.statusMessage || "failed";
        const status = response.statusCode === 500 ? "" : `${response.statusCode} `;
        reject(new Error([`${status}${message}`, ...details].join("\n")));
      });
    });
    request.on("error", reject).end(hasBody ? form : undefined);
  });
}

function parse(text: string): Answer {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return { message: text };
  }
}

interface TaskStatus {
  status: "running" | "stopped";
  exitstatus?: string;
}

/**
 * Waits for a task to end and prints its log as it grows.
 *
 * @throws Error with the task's exit status unless it is `OK` or `WARNINGS: n`.
 */
export async function followTask(callApi: CallApi, upid: string, print: (line: string) => void): Promise<void> {
  const path = `/nodes/pve/tasks/${encodeURIComponent(upid)}`;
  for (let shown = 0; ;) {
    const { status, exitstatus } = (await callApi("GET", `${path}/status`, {})) as TaskStatus;
    const lines = (await callApi("GET", `${path}/log`, { start: String(shown), limit: "500" })) as { t: string }[];
    // The API returns this one line for an empty log.
    const fresh = lines.map((line) => line.t).filter((line) => line !== "no content");
    for (const line of fresh) if (!/^TASK (OK|ERROR|WARNINGS)/.test(line)) print(line);
    shown += fresh.length;
    if (status === "running") await new Promise((resolve) => setTimeout(resolve, 100));
    else if (exitstatus === "OK" || exitstatus?.startsWith("WARNINGS")) return;
    else throw new Error(exitstatus ?? "unexpected status");
  }
}
