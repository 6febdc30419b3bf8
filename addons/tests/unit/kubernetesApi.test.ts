import * as https from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { stringify } from "yaml";

import { selfSigned } from "../../../lab/support/selfSigned";
import { KubernetesApi } from "../../components/kubernetesApi";

/** Only the connection. The server is Node's; tests/addons/helm.test.ts uses a real API server. */

const server = selfSigned({ name: "kube-apiserver", altNames: "IP:127.0.0.1" });
const client = selfSigned({ name: "system:admin" });

interface Seen {
  readonly user: string;
  readonly request: string;
  readonly body: string;
}
const seen: Seen[] = [];
let answer: { status: number; text: string };
let double: https.Server;
let url: string;

beforeAll(async () => {
  const tls = { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: true };
  double = https.createServer(tls, (request, response) => {
    const user = (request.socket as TLSSocket).getPeerCertificate().subject.CN as string;
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      seen.push({ user, request: `${request.method} ${request.url}`, body });
      response.writeHead(answer.status, { date: "Mon, 30 Nov 2026 03:00:00 GMT" }).end(answer.text);
    });
  });
  await new Promise<void>((resolve) => double.listen(0, "127.0.0.1", resolve));
  url = `https://127.0.0.1:${(double.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => double.close(resolve)));
beforeEach(() => {
  seen.length = 0;
  answer = { status: 200, text: '{"items":[]}' };
});

const base64 = (text: string): string => Buffer.from(text).toString("base64");
/** In the form that K3s writes. */
const kubeconfig = (ca = server.cert, at = url): string =>
  stringify({
    ...{ apiVersion: "v1", kind: "Config", "current-context": "homelab", preferences: {} },
    clusters: [{ name: "homelab", cluster: { server: at, "certificate-authority-data": base64(ca) } }],
    contexts: [{ name: "homelab", context: { cluster: "homelab", user: "homelab" } }],
    users: [
      {
        name: "homelab",
        user: { "client-certificate-data": base64(client.cert), "client-key-data": base64(client.key) },
      },
    ],
  });

test("requests use the kubeconfig's user", async () => {
  const api = KubernetesApi.of(kubeconfig())!;
  const at = new Date("2026-11-30T03:00:00Z");
  expect(await api.request("GET", "/api/v1/secrets?labelSelector=a%3Db")).toEqual({
    ...{ status: 200, at },
    body: { items: [] },
  });
  answer = { status: 409, text: "busy" };
  expect(await api.request("DELETE", "/api/v1/x", { preconditions: { uid: "1" } })).toEqual({
    ...{ status: 409, at },
    body: undefined,
  });
  expect(seen).toEqual([
    { user: "system:admin", request: "GET /api/v1/secrets?labelSelector=a%3Db", body: "" },
    { user: "system:admin", request: "DELETE /api/v1/x", body: '{"preconditions":{"uid":"1"}}' },
  ]);
});

test("a server with a certificate of another CA gets no request", async () => {
  const api = KubernetesApi.of(kubeconfig(client.cert))!;
  await expect(api.request("GET", "/x")).rejects.toThrow(/certificate/);
  expect(seen).toEqual([]);
});

test("a missing object, or an API that does not answer, is not an error if the answer only explains a failure", async () => {
  const api = KubernetesApi.of(kubeconfig())!;
  expect(await api.find("/apis/there")).toEqual({ items: [] });
  answer = { status: 404, text: '{"kind":"Status"}' };
  expect(await api.find("/apis/other")).toBeUndefined();
  expect(await KubernetesApi.of(kubeconfig(server.cert, "https://127.0.0.1:9"))!.find("/apis/there")).toBeUndefined();
});

test("no answer is an error", async () => {
  const api = KubernetesApi.of(kubeconfig(server.cert, "https://127.0.0.1:9"))!;
  await expect(api.request("GET", "/x")).rejects.toThrow(/ECONNREFUSED/);
});

test.each(["", "apiVersion: v1", "clusters: [", kubeconfigWithToken()])(
  "a kubeconfig of another form is left to the provider, and no message shows it: %#",
  (text) => {
    expect(KubernetesApi.of(text)).toBeUndefined();
  },
);

function kubeconfigWithToken(): string {
  const cluster = { server: "https://192.168.2.20:6443", "certificate-authority-data": "QQ==" };
  return stringify({ clusters: [{ cluster }], users: [{ user: { token: "x" } }] });
}
