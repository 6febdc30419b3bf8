import * as https from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { stringify } from "yaml";

import { selfSigned } from "../../../lab/support/selfSigned";
import { getObject } from "../../components/kubeApi";

/* A server that asks for a client certificate, as the Kubernetes API does. */

const api = selfSigned({ name: "api", altNames: "IP:127.0.0.1" });
const client = selfSigned({ name: "admin" });
const OBJECT = { kind: "Kustomization", status: { conditions: [] } };
let server: https.Server;

beforeAll(async () => {
  const options = { cert: api.cert, key: api.key, ca: client.cert, requestCert: true, rejectUnauthorized: false };
  server = https.createServer(options, (request, response) => {
    if (!(request.socket as TLSSocket).authorized) response.writeHead(401).end();
    else if (request.url !== "/apis/there") response.writeHead(404).end("{}");
    else response.end(JSON.stringify(OBJECT));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => server.close());

function kubeconfig({ ca = api.cert, user = client } = {}): string {
  const data = (pem: string): string => Buffer.from(pem).toString("base64");
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return stringify({
    clusters: [{ name: "default", cluster: { server: address, "certificate-authority-data": data(ca) } }],
    users: [
      { name: "default", user: { "client-certificate-data": data(user.cert), "client-key-data": data(user.key) } },
    ],
  });
}

test("it gets an object as the kubeconfig's user", async () => {
  expect(await getObject(kubeconfig(), "/apis/there")).toEqual(OBJECT);
});

test.each([
  ["does not have it", () => getObject(kubeconfig(), "/apis/other")],
  ["does not know the user", () => getObject(kubeconfig({ user: selfSigned({ name: "stranger" }) }), "/apis/there")],
  ["has not the CA of the kubeconfig", () => getObject(kubeconfig({ ca: client.cert }), "/apis/there")],
  ["cannot be found, for a kubeconfig of another form", () => getObject("clusters: []", "/apis/there")],
])("it has nothing to say if the API %s", async (_, ask) => {
  expect(await ask()).toBeUndefined();
});
