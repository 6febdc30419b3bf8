import { createHash } from "node:crypto";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import type { PveClient } from "../support/httpClient";
import { SimulatedNode } from "../support/pveNode";

const content = "the content of a template";
const sha256 = createHash("sha256").update(content).digest("hex");
const path = "/nodes/pve/storage/local/download-url";
const volid = "local:vztmpl/alpine_amd64.tar.zst";

let pve: SimulatedNode;
let root: PveClient;
let source: http.Server;
let base: string;

beforeAll(async () => {
  source = http.createServer((request, response) => {
    if (request.url === "/moved") response.writeHead(302, { location: "/alpine_amd64.tar.zst?x=1" }).end();
    else if (request.url?.startsWith("/alpine"))
      response
        .writeHead(200, { "content-type": "application/zstd; q=1", "content-length": content.length })
        .end(request.method === "HEAD" ? undefined : content);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => source.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(source.address() as AddressInfo).port}`;
  pve = await SimulatedNode.start();
  root = await pve.root();
});
afterAll(async () => {
  source.close();
  await pve.stop();
});

const fields = (extra = {}) => ({
  content: "vztmpl",
  filename: "alpine_amd64.tar.zst",
  url: `${base}/moved`,
  ...extra,
});

test("the metadata of a URL", async () => {
  const query = (url: string) => root.get("/nodes/pve/query-url-metadata", { url });
  expect((await query(`${base}/alpine_amd64.tar.zst?x=1`)).body.data).toEqual({
    filename: "alpine_amd64.tar.zst",
    size: content.length,
    mimetype: "application/zstd",
  });
  expect(await query(`${base}/gone`)).toMatchObject({ reason: "invalid server response: '404 Not Found'" });
});

test("a download is in the storage complete and checked, or not at all", async () => {
  const wrong = fields({ checksum: "0".repeat(64), "checksum-algorithm": "sha256" });
  expect(await root.run(root.post(path, wrong))).toBe(
    `checksum mismatch: got '${sha256}' != expect '${"0".repeat(64)}'`,
  );
  expect(await root.run(root.post(path, fields({ url: `${base}/gone` })))).toBe("download failed: 404 Not Found");
  const listed = async () =>
    ((await root.get("/nodes/pve/storage/local/content")).body.data as { volid: string }[]).map((entry) => entry.volid);
  expect(await listed()).not.toContain(volid);

  const right = fields({ checksum: sha256, "checksum-algorithm": "sha256" });
  expect(await root.run(root.post(path, right))).toBe("OK");
  expect(await listed()).toContain(volid);
  expect(await root.run(root.post(path, right))).toBe("OK");
  expect(await root.run(root.post(path, fields()))).toMatch(
    /^refusing to override existing file '.*alpine_amd64\.tar\.zst'$/,
  );
  expect(await root.run(root.delete(`/nodes/pve/storage/local/content/${encodeURIComponent(volid)}`))).toBe("OK");
  expect(await listed()).not.toContain(volid);
});

test("refused downloads", async () => {
  expect((await root.post(path, fields({ filename: "alpine.exe" }))).body.errors).toEqual({
    filename: "wrong file extension",
  });
  expect((await root.post(path, fields({ url: "ftp://x/y" }))).body.errors).toEqual({
    url: "value does not match the regex pattern",
  });
  expect(await root.post("/nodes/pve/storage/local-lvm/download-url", fields())).toMatchObject({
    reason: "can't upload to storage type 'lvmthin', not a file based storage!",
  });
  expect(await pve.token().post(path, fields())).toMatchObject({
    status: 403,
    reason: "Permission check failed (/storage/local, Datastore.AllocateTemplate)",
  });
});
