import * as https from "node:https";

import { apiCas } from "../credentials/certificates";
import type { ProxmoxPlan } from "../plan/model";

/** An answer of Proxmox VE. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** Not checked; null if there is none. */
  readonly data: unknown;
}

/** Reads from Proxmox VE's API. It trusts `proxmox.caFile`, else the CAs of the Proxmox provider. */
export interface ProxmoxApi {
  /** @throws Error if nothing answers, or if the certificate is another one */
  readonly get: (path: string) => Promise<Answer>;
  readonly close: () => void;
}

type Where = Pick<ProxmoxPlan, "endpoint" | "insecure" | "caFile">;

/** Seconds to wait for one answer. */
const TIMEOUT = 10;

/** @param token `user@realm!name=uuid`; without a token, only the version can be read */
export function openApi(proxmox: Where, token: string | undefined): ProxmoxApi {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 4 });
  return {
    get: (path) => request(agent, proxmox, path, token),
    close: () => agent.destroy(),
  };
}

function request(
  agent: https.Agent,
  { endpoint, insecure, ...trust }: Where,
  path: string,
  token?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = https.get(new URL(`/api2/json${path}`, endpoint), {
      agent,
      ca: apiCas(trust),
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

function dataOf(body: string): unknown {
  try {
    return (JSON.parse(body) as { data?: unknown }).data ?? null;
  } catch {
    return null;
  }
}
