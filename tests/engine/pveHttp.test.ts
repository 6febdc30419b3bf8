import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as tls from "node:tls";
import { ApiError } from "../../lab/pve/errors";
import type { RequestHook } from "../../lab/pve/http/exchange";
import { nodeFields, SimulatedNode } from "../support/pveNode";

let pve: SimulatedNode;
let onRequest: RequestHook | undefined;
beforeEach(async () => {
  onRequest = undefined;
  pve = await SimulatedNode.start({ onRequest: async (request) => onRequest?.(request) });
});
afterEach(() => pve.stop());

describe("authentication", () => {
  test("without a login everything is refused, even the version", async () => {
    expect(await pve.anonymous().get("/version")).toMatchObject({ status: 401, reason: "No ticket" });
    expect(await pve.anonymous().get("/nonsense")).toMatchObject({ status: 401, reason: "No ticket" });
    expect(await pve.anonymous().get("/access/domains")).toMatchObject({ status: 200 });
  });

  test("a wrong secret, an unknown token and a forged ticket are refused", async () => {
    const failed = { status: 401, reason: "Authentication failed!" };
    expect(await pve.token(`${pve.apiToken}x`).get("/version")).toMatchObject(failed);
    expect(await pve.token("pulumi@pve!other=secret").get("/version")).toMatchObject(failed);
    expect(await pve.anonymous({ cookie: "PVEAuthCookie=PVE:root@pam:00000000::AAAA" }).get("/version")).toMatchObject(
      failed,
    );
  });

  test("a login gives a ticket and a CSRF token, and every change needs both", async () => {
    const login = (password: string) => pve.anonymous().post("/access/ticket", { username: "root@pam", password });
    expect(await login("wrong")).toMatchObject({ status: 401, reason: "authentication failure" });
    const { data } = (await login("root-password")).body;
    expect(data).toMatchObject({ username: "root@pam", cap: { vms: { "VM.Allocate": 1 }, dc: { "Sys.Modify": 1 } } });
    const cookie = `PVEAuthCookie=${encodeURIComponent(data.ticket)}`;
    expect(await pve.anonymous({ cookie }).get("/version")).toMatchObject({ status: 200 });
    expect(await pve.anonymous({ cookie }).post("/pools", { poolid: "lab" })).toMatchObject({
      status: 401,
      reason: "Permission denied - invalid csrf token",
    });
    const full = pve.anonymous({ cookie, csrfpreventiontoken: data.CSRFPreventionToken });
    expect(await full.post("/pools", { poolid: "lab" })).toMatchObject({ status: 200 });
    const renewed = await pve.anonymous().post("/access/ticket", { username: "root@pam", password: data.ticket });
    expect(renewed.body.data.ticket).toMatch(/^PVE:root@pam:[0-9A-F]{8}::/);
  });

  test("a token cannot get a ticket", async () => {
    const answer = await pve.token().post("/access/ticket", { username: "root@pam", password: "root-password" });
    expect(answer).toMatchObject({ status: 403 });
  });

  test("only root can use the socket, and needs no login", async () => {
    expect(fs.statSync(pve.socket).mode & 0o777).toBe(0o600);
    const answer = await new Promise<string>((resolve, reject) => {
      const request = http.get(
        { socketPath: pve.socket, path: "/api2/json/access/permissions?path=/vms" },
        (response) => {
          let text = "";
          response.on("data", (chunk) => (text += chunk)).on("end", () => resolve(text));
        },
      );
      request.on("error", reject);
    });
    expect(JSON.parse(answer).data["/vms"]["VM.Allocate"]).toBe(1);
  });
});

describe("the form of an answer", () => {
  test("headers, TLS 1.3, and the text of an error in the status line, which ends the connection", async () => {
    const good = await pve.token().get("/version");
    expect(good.body).toEqual({ data: { version: "9.2.3", release: "9.2", repoid: expect.any(String) } });
    expect(good.headers).toMatchObject({
      server: "pve-api-daemon/3.0",
      "content-type": "application/json;charset=UTF-8",
      "cache-control": "max-age=0",
      pragma: "no-cache",
    });
    const bad = await pve.token().get("/nodes/pve/lxc/999/config");
    expect(bad.reason).toBe("Configuration file 'nodes/pve/lxc/999.conf' does not exist");
    expect(bad.headers["connection"]).toBe("close");
    const { port } = new URL(pve.url);
    const protocol = await new Promise((resolve, reject) => {
      const socket = tls.connect({ port: Number(port), host: "127.0.0.1", ca: pve.tls.cert }, () => {
        resolve(socket.getProtocol());
        socket.end();
      });
      socket.on("error", reject);
    });
    expect(protocol).toBe("TLSv1.3");
  });

  test("a method or path that does not exist", async () => {
    expect(await pve.token().get("/nodes/pve/nonsense")).toMatchObject({
      status: 501,
      reason: "Method 'GET /nodes/pve/nonsense' not implemented",
    });
    expect(await pve.token().delete("/version")).toMatchObject({
      status: 501,
      reason: "Method 'DELETE /version' not implemented",
    });
  });

  test("another Proxmox VE node", async () => {
    expect(await pve.token().get("/nodes/other/version")).toMatchObject({
      status: 500,
      reason: expect.stringContaining("hostname lookup 'other' failed"),
    });
  });

  test("a non-ASCII character in an error is not in the status line", async () => {
    const { status, reason, body } = await pve.token().get("/pools", { poolid: "ü" });
    expect({ status, reason }).toEqual({ status: 400, reason: "Parameter verification failed." });
    expect(body.errors!["poolid"]).toContain("'ü'");
  });
});

describe("what a request may look like", () => {
  test("percent codes in each part of the path", async () => {
    const client = pve.token();
    const upid = (await client.post("/nodes/pve/lxc", nodeFields(101))).body.data as string;
    await client.task(upid);
    expect((await client.get(`/nodes/pve/tasks/${encodeURIComponent(upid)}/status`)).status).toBe(200);
    expect((await client.get(`/nodes/pve/tasks/${upid.replace("!", "%21")}/status`)).status).toBe(200);
    const root = await pve.root();
    const volume = encodeURIComponent("local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst");
    expect((await root.get(`/nodes/pve/storage/local/content/${volume}`)).body.data).toMatchObject({
      size: 10,
      format: "tzst",
    });
  });

  test("JSON bodies, with numbers and booleans", async () => {
    const client = pve.token();
    const answer = await client.postJson("/nodes/pve/lxc", { ...nodeFields(101), unprivileged: true });
    expect(answer.status).toBe(200);
    await client.task(answer.body.data as string);
    expect((await client.get("/nodes/pve/lxc/101/config")).body.data).toMatchObject({ unprivileged: 1, cores: 2 });
    expect(await client.postJson("/nodes/pve/lxc", { vmid: [1], ostemplate: {} })).toMatchObject({ status: 400 });
    expect(await client.postJson("/nodes/pve/lxc", [])).toMatchObject({ status: 400 });
  });

  test("a body that is too large", async () => {
    const answer = await pve.token().post("/nodes/pve/lxc", nodeFields(101, { description: "x".repeat(600_000) }));
    expect(answer).toMatchObject({ status: 501, reason: "for data too large" });
  });

  test("tasks by unknown and by malformed UPID", async () => {
    const unknown = "UPID:pve:0000FAF5:0015034F:6A4AB61F:vzcreate:9102:root@pam:";
    expect((await pve.token().get(`/nodes/pve/tasks/${unknown}/status`)).body.errors).toEqual({ upid: "no such task" });
    expect((await pve.token().get("/nodes/pve/tasks/nonsense/status")).body.errors).toEqual({
      upid: "unable to parse worker upid",
    });
  });

  test("only auditors of the node see another user's task", async () => {
    const root = await pve.root();
    const upid = (await root.post("/nodes/pve/lxc", nodeFields(101))).body.data as string;
    expect(await pve.token().get(`/nodes/pve/tasks/${upid}/status`)).toMatchObject({
      status: 403,
      reason: "Permission check failed (/nodes/pve, Sys.Audit)",
    });
    await root.task(upid);
  });
});

describe("the hook for faults", () => {
  test("a hook can answer instead of the API or cut the connection", async () => {
    onRequest = async ({ method, user }) => {
      expect(user).toBe("pulumi@pve!pulumi");
      if (method === "POST") throw new ApiError(596, "Connection timed out");
      return "drop";
    };
    expect(await pve.token().post("/nodes/pve/lxc", nodeFields(101))).toMatchObject({
      status: 596,
      reason: "Connection timed out",
    });
    await expect(pve.token().get("/version")).rejects.toThrow(/socket hang up|ECONNRESET/);
    onRequest = undefined;
    expect((await pve.token().get("/version")).status).toBe(200);
  });

  test("an idle connection is kept for five seconds", async () => {
    const agent = new https.Agent({ keepAlive: true, ca: pve.tls.cert });
    const header = await new Promise((resolve, reject) => {
      const headers = { authorization: `PVEAPIToken=${pve.apiToken}` };
      https
        .get(`${pve.url}/api2/json/version`, { agent, headers }, (response) => {
          response.resume().on("end", () => resolve(response.headers["keep-alive"]));
        })
        .on("error", reject);
    });
    agent.destroy();
    expect(header).toBe("timeout=5");
  });
});
