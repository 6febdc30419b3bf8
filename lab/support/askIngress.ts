import * as http from "node:http";
import * as https from "node:https";
import type { TLSSocket } from "node:tls";

/** An answer of an ingress controller. */
export interface IngressAnswer {
  readonly status: number;
  readonly body: string;
  /** Common name of its certificate; undefined for HTTP. */
  readonly certificate?: string;
}

/**
 * Sends a request to a node port, for a host name that is in no DNS. Each request opens a new connection and accepts any
 * certificate: Traefik's default one is self-signed.
 *
 * @throws Error if nothing answers within 5 s
 */
export function askIngress(url: string, host: string): Promise<IngressAnswer> {
  const options = { headers: { host }, servername: host, timeout: 5_000, rejectUnauthorized: false, agent: false };
  return new Promise((resolve, reject) => {
    const request = (url.startsWith("https:") ? https : http).get(url, options, (response) => {
      const socket = response.socket as Partial<TLSSocket>;
      const certificate = socket.getPeerCertificate?.().subject.CN;
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.on("error", reject).on("end", () => {
        const shown = typeof certificate === "string" ? { certificate } : {};
        resolve({ status: response.statusCode ?? 0, body: body.trim(), ...shown });
      });
    });
    request.on("timeout", () => request.destroy(new Error(`${url} does not answer`))).on("error", reject);
  });
}

/** The common name of the certificate that Traefik makes for itself. */
export const TRAEFIK_CERTIFICATE = "TRAEFIK DEFAULT CERT";

/** Traefik's own answer, if no Ingress has the host. */
export const NO_SUCH_INGRESS = { status: 404, body: "404 page not found" };
