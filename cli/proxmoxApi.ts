import * as fs from "node:fs";
import * as https from "node:https";
import * as tls from "node:tls";

import type { ProxmoxPlan } from "../plan/model";

/** What Proxmox VE answered. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** Not checked; null where there is none. */
  readonly data: unknown;
}

/** Reads from Proxmox VE's API, with the trust of the Proxmox provider. */
export interface ProxmoxApi {
  /** @throws Error where nothing answers, or by another certificate */
  readonly get: (path: string) => Promise<Answer>;
  readonly close: () => void;
}

/** Seconds to wait for one answer. */
const TIMEOUT = 10;

/** @param token `user@realm!name=uuid`; without one only the version can be asked for */
export function openApi(proxmox: Pick<ProxmoxPlan, "endpoint" | "insecure">, token: string | undefined): ProxmoxApi {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 4 });
  return {
    get: (path) => request(agent, proxmox, path, token),
    close: () => agent.destroy(),
  };
}

function request(
  agent: https.Agent,
  { endpoint, insecure }: Pick<ProxmoxPlan, "endpoint" | "insecure">,
  path: string,
  token?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = https.get(new URL(`/api2/json${path}`, endpoint), {
      agent,
      ca: trustedCas(),
      rejectUnauthorized: !insecure,
      timeout: TIMEOUT * 1000,
      headers: token === undefined ? {} : { authorization: `PVEAPIToken=${token}` },
    });
    call.on("timeout", () => call.destroy(new Error(`no answer within ${TIMEOUT} s`)));
    call.on("error", reject);
    call.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("error", reject).on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const { statusCode: status = 0, statusMessage: reason = "" } = response;
        resolve({ status, reason, data: dataOf(Buffer.concat(chunks).toString()) });
      });
    });
  });
}

/** The CAs that the Proxmox provider trusts. It is a Go program and uses the system's list; Node.js has its own. */
function trustedCas(): string[] {
  const file = process.env["SSL_CERT_FILE"];
  if (process.platform === "linux" && file) return fs.existsSync(file) ? [fs.readFileSync(file, "utf8")] : [];
  return tls.getCACertificates("system");
}

function dataOf(body: string): unknown {
  try {
    return (JSON.parse(body) as { data?: unknown }).data ?? null;
  } catch {
    return null;
  }
}
