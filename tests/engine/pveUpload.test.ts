import { createHash } from "node:crypto";
import * as fs from "node:fs";
import type { PveClient } from "../support/httpClient";
import { SimulatedNode } from "../support/pveNode";

let pve: SimulatedNode;
let root: PveClient;
let uploadsBefore: string[];
beforeAll(async () => {
  uploadsBefore = uploads();
  pve = await SimulatedNode.start();
  root = await pve.root();
});
afterAll(async () => {
  await pve.stop();
  expect(uploads()).toEqual(uploadsBefore);
});

/** Files that the API keeps between the request and the task. */
function uploads(): string[] {
  return fs.readdirSync("/var/tmp").filter((name) => name.startsWith("pveupload-"));
}

const path = "/nodes/pve/storage/local/upload";
// Larger than any other body that Proxmox VE accepts, and binary.
const content = Buffer.alloc(600 * 1024, Buffer.from([0, 13, 10, 45, 45, 255]));
const sha256 = createHash("sha256").update(content).digest("hex");
const name = "alpine amd64.tar.zst";
const volid = "local:vztmpl/alpine_amd64.tar.zst";
const file = { field: "filename", name, content };

test("a template is stored byte for byte, under a safe name", async () => {
  const upid = (await root.upload(path, { content: "vztmpl" }, { ...file, name: `../../${name}` })).body.data as string;
  expect(upid).toMatch(/:imgcopy::root@pam:$/);
  expect(await root.task(upid)).toBe("OK");
  const destination = `${pve.dir}/vz/template/cache/alpine_amd64.tar.zst`;
  expect(fs.readFileSync(destination).equals(content)).toBe(true);
  expect(fs.statSync(destination).mode & 0o777).toBe(0o644);
  expect(await root.log(upid)).toEqual([
    expect.stringMatching(/^starting file import from: \/var\/tmp\/pveupload-[0-9a-f]{32}$/),
    "target node: pve",
    `target file: ${destination}`,
    `file size is: ${content.length}`,
    expect.stringMatching(/^command: cp -- /),
    "finished file import successfully",
    "TASK OK",
  ]);
  const { data } = (await root.get("/nodes/pve/storage/local/content", { content: "vztmpl" })).body;
  expect(data).toContainEqual(expect.objectContaining({ volid, size: content.length }));
});

test("the content is checked against a checksum; an existing file is overwritten only if it matches", async () => {
  const other = { ...file, content: Buffer.from("other") };
  const checked = (checksum: string) => ({ content: "vztmpl", "checksum-algorithm": "sha256", checksum });
  const destination = `${pve.dir}/vz/template/cache/alpine_amd64.tar.zst`;
  expect(await root.run(root.upload(path, checked(sha256.toUpperCase()), file))).toBe("OK");
  expect(await root.run(root.upload(path, checked(sha256), other))).toMatch(/^checksum mismatch: got '[0-9a-f]{64}'/);
  expect(fs.readFileSync(destination).equals(content)).toBe(true);
  expect(await root.run(root.upload(path, { content: "vztmpl" }, other))).toBe("OK");
  expect(fs.readFileSync(destination, "utf8")).toBe("other");
});

test("a refused upload leaves nothing behind", async () => {
  const send = (fields: Record<string, string>, change = {}, to = path) =>
    root.upload(to, fields, { ...file, ...change });
  expect((await send({ content: "vztmpl" }, { name: "alpine.exe" })).body.errors).toEqual({
    filename: "wrong file extension",
  });
  expect((await send({ content: "snippets" })).body.errors).toHaveProperty("content");
  expect((await send({ content: "vztmpl", checksum: sha256 })).body.errors).toEqual({
    "checksum-algorithm": "missing property required by 'checksum'",
  });
  expect(await send({ content: "import" }, { name: "disk.qcow2" })).toMatchObject({
    reason: "storage 'local' does not support 'import' content",
  });
  expect(await send({ content: "vztmpl" }, { field: "file" })).toMatchObject({
    reason: "wrong field name 'file' for file upload, expected 'filename'",
  });
  expect(await send({ content: "iso" }, {}, "/nodes/pve/storage/local-lvm/upload")).toMatchObject({
    reason: "can't upload to storage type 'lvmthin'",
  });
  expect(await send({ content: "vztmpl" }, {}, `${path}?tmpfilename=/var/tmp/pveupload-00`)).toMatchObject({
    reason: "'tmpfilename' query parameter is not allowed for file uploads",
  });
  expect(await root.post(path, { content: "vztmpl", filename: name })).toMatchObject({ status: 506 });
  expect(await send({}, {}, "/pools")).toMatchObject({ status: 506 });
  expect(await pve.token().upload(path, { content: "vztmpl" }, file)).toMatchObject({
    status: 403,
    reason: "Permission check failed (/storage/local, Datastore.AllocateTemplate)",
  });
});
