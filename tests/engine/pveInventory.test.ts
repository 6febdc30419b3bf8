import type { PveClient } from "../support/httpClient";
import { nodeFields, SimulatedNode, template } from "../support/pveNode";

let pve: SimulatedNode;
let root: PveClient;
beforeAll(async () => {
  pve = await SimulatedNode.start();
  root = await pve.root();
  await root.post("/pools", { poolid: "cluster", comment: "the cluster" });
  await root.run(root.post("/nodes/pve/lxc", nodeFields(101, { pool: "cluster", tags: "k3s-lab" })));
  await root.run(root.post("/nodes/pve/lxc", nodeFields(103)));
  await root.run(root.post("/nodes/pve/lxc/101/status/start"));
});
afterAll(() => pve.stop());

test("lists of guests", async () => {
  const { data } = (await root.get("/nodes/pve/lxc")).body;
  expect(data).toMatchObject([
    { vmid: 101, status: "running", tags: "k3s-lab" },
    { vmid: 103, status: "stopped" },
  ]);
  expect((await root.get("/nodes/pve/qemu")).body.data).toEqual([]);
});

test("the resources of the cluster", async () => {
  const { data } = (await root.get("/cluster/resources")).body;
  const ids = (data as { id: string }[]).map(({ id }) => id);
  expect(ids).toEqual([
    "/pool/cluster",
    "lxc/101",
    "lxc/103",
    "node/pve",
    "storage/pve/local",
    "storage/pve/local-lvm",
  ]);
  const { data: guests } = (await root.get("/cluster/resources", { type: "vm" })).body;
  expect(guests).toMatchObject([
    { vmid: 101, name: "k3s-101", pool: "cluster", node: "pve", status: "running", maxcpu: 2 },
    { vmid: 103, status: "stopped" },
  ]);
});

test("the node", async () => {
  expect((await root.get("/nodes")).body.data).toMatchObject([{ node: "pve", status: "online" }]);
  expect((await root.get("/nodes/pve/status")).body.data).toMatchObject({
    pveversion: expect.stringMatching(/^pve-manager\/9\.2\.3\//),
    loadavg: [expect.any(String), expect.any(String), expect.any(String)],
  });
  expect((await root.get("/nodes/pve/network")).body.data).toMatchObject([{ iface: "vmbr0", type: "bridge" }]);
  expect((await root.get("/nodes/pve/version")).body.data.release).toBe("9.2");
  expect((await root.get("/cluster/status")).body.data).toMatchObject([{ name: "pve", local: 1 }]);
  for (const path of ["/nodes/pve", "/nodes/pve/lxc/101", "/nodes/pve/lxc/101/status", "/nodes/pve/storage/local"])
    expect((await root.get(path)).status).toBe(200);
});

test("storages and templates; a token sees only a template that it may use", async () => {
  const { data } = (await pve.token().get("/nodes/pve/storage")).body;
  expect(data).toMatchObject([
    { storage: "local", type: "dir", content: "iso,snippets,vztmpl", active: 1 },
    { storage: "local-lvm", type: "lvmthin", used: 64 * 1024 ** 3 },
  ]);
  expect((await pve.token().get("/nodes/pve/storage/local/content", { content: "vztmpl" })).body.data).toMatchObject([
    { volid: template, content: "vztmpl", format: "tzst", size: 10 },
  ]);
  expect((await root.get("/storage")).body.data).toMatchObject([{ storage: "local" }, { storage: "local-lvm" }]);
  expect((await root.get("/nodes/pve/storage/local/status")).body.data.total).toBeGreaterThan(0);
  expect(await pve.token().get("/storage/local")).toMatchObject({ status: 403 });
  expect(await root.get("/nodes/pve/storage", { storage: "other" })).toMatchObject({
    status: 400,
    body: { errors: { storage: "No such storage." } },
  });
});

test("pools and their members", async () => {
  expect((await root.get("/pools")).body.data).toEqual([{ poolid: "cluster", comment: "the cluster" }]);
  const members = async () => (await root.get("/pools", { poolid: "cluster" })).body.data[0].members as unknown[];
  expect(await members()).toMatchObject([{ id: "lxc/101", vmid: 101, node: "pve", type: "lxc" }]);
  await root.put("/pools", { poolid: "cluster", vms: "103", storage: "local-lvm" });
  expect(await members()).toMatchObject([{ vmid: 101 }, { vmid: 103 }, { storage: "local-lvm" }]);
  expect(await root.put("/pools", { poolid: "cluster", vms: "103" })).toMatchObject({
    reason: "VM 103 is already a pool member",
  });
  expect(await root.delete("/pools", { poolid: "cluster" })).toMatchObject({
    status: 500,
    reason: "pool 'cluster' is not empty (contains VM 101)",
  });
  await root.put("/pools", { poolid: "cluster", vms: "103", storage: "local-lvm", delete: 1 });
  expect((await root.get("/pools/cluster")).body.data.members).toHaveLength(1);
  expect(await root.post("/pools", { poolid: "cluster" })).toMatchObject({ reason: "pool 'cluster' already exists" });
  expect(await root.get("/pools", { poolid: "none" })).toMatchObject({ reason: "pool 'none' does not exist" });
  expect(await pve.token().get("/pools", { poolid: "cluster" })).toMatchObject({
    status: 403,
    reason: "Permission check failed (/pool/cluster, Pool.Audit)",
  });
});

test("users, roles, tokens and grants", async () => {
  expect(await root.post("/access/users", { userid: "ops@pve", password: "ops-password" })).toMatchObject({
    status: 200,
  });
  expect(await root.post("/access/roles", { roleid: "Watch", privs: "VM.Audit" })).toMatchObject({ status: 200 });
  expect(await root.post("/access/roles", { roleid: "PVEWatch" })).toMatchObject({ status: 400 });
  expect(await root.put("/access/roles/PVEAdmin", { privs: "VM.Audit" })).toMatchObject({
    reason: "auto-generated role 'PVEAdmin' cannot be modified",
  });
  expect(await root.post("/access/roles", { roleid: "Bad", privs: "VM.Nonsense" })).toMatchObject({
    reason: "invalid privilege 'VM.Nonsense'",
  });
  const made = (await root.post("/access/users/ops@pve/token/ci", { comment: "for tests" })).body.data;
  expect(made).toMatchObject({ "full-tokenid": "ops@pve!ci", info: { privsep: 1 } });
  const token = pve.token(`ops@pve!ci=${made.value}`);
  expect(await token.get("/nodes/pve/lxc/101/config")).toMatchObject({ status: 403 });
  await root.put("/access/acl", { path: "/vms", roles: "Watch", users: "ops@pve" });
  expect(await token.get("/nodes/pve/lxc/101/config")).toMatchObject({ status: 403 });
  await root.put("/access/acl", { path: "/vms/101", roles: "Watch", tokens: "ops@pve!ci" });
  expect(await token.get("/nodes/pve/lxc/101/config")).toMatchObject({ status: 200 });
  expect((await token.get("/access/permissions")).body.data).toEqual({ "/vms/101": { "VM.Audit": 1 } });
  expect(await token.put("/access/acl", { path: "/", roles: "Watch", users: "ops@pve" })).toMatchObject({
    status: 403,
  });

  const { value } = (await root.put("/access/users/ops@pve/token/ci", { regenerate: 1 })).body.data;
  expect(await token.get("/version")).toMatchObject({ status: 401 });
  expect(await pve.token(`ops@pve!ci=${value}`).get("/version")).toMatchObject({ status: 200 });
  expect((await root.get("/access/users/ops@pve/token")).body.data).toMatchObject([
    { tokenid: "ci", comment: "for tests" },
  ]);
  expect((await root.get("/access/acl")).body.data).toContainEqual({
    ...{ path: "/vms/101", type: "token", ugid: "ops@pve!ci", roleid: "Watch", propagate: 1 },
  });
  expect((await root.get("/access/users/ops@pve")).body.data.tokens).toHaveProperty("ci");
  await root.delete("/access/users/ops@pve/token/ci");
  expect(await root.get("/access/users/ops@pve/token/ci")).toMatchObject({
    reason: "no such token 'ci' for user 'ops@pve'",
  });
  await root.delete("/access/users/ops@pve");
  const { data: users } = (await root.get("/access/users")).body;
  expect((users as { userid: string }[]).map(({ userid }) => userid).sort()).toEqual(["pulumi@pve", "root@pam"]);
  await root.delete("/access/roles/Watch");
  expect(await root.get("/access/roles/Watch")).toMatchObject({ reason: "role 'Watch' does not exist" });
  expect((await root.get("/access/roles/PVEAuditor")).body.data).toHaveProperty(["VM.Audit"], 1);
});

test("a guest's grants and membership are removed with it", async () => {
  await root.run(root.post("/nodes/pve/lxc", nodeFields(105, { pool: "cluster" })));
  await root.put("/access/acl", { path: "/vms/105", roles: "PVEVMUser", users: "pulumi@pve" });
  await root.run(root.delete("/nodes/pve/lxc/105"));
  const { data } = (await root.get("/access/acl")).body;
  expect((data as { path: string }[]).some(({ path }) => path === "/vms/105")).toBe(false);
  await root.run(root.post("/nodes/pve/lxc", nodeFields(105)));
  const { members } = (await root.get("/pools/cluster")).body.data;
  expect((members as { vmid: number }[]).map(({ vmid }) => vmid)).toEqual([101]);
});
