import * as http from "node:http";

import type { PveClient } from "../support/httpClient";
import { nodeFields, SimulatedNode } from "../support/pveNode";

const LXC = "/nodes/pve/lxc";

let pve: SimulatedNode;
let client: PveClient;
beforeEach(async () => {
  pve = await SimulatedNode.start();
  client = pve.token();
});
afterEach(() => pve.stop());

const create = (vmid: number) => client.run(client.post(LXC, nodeFields(vmid)));
const start = (vmid: number) => client.run(client.post(`${LXC}/${vmid}/status/start`));
const current = async (vmid: number) => (await client.get(`${LXC}/${vmid}/status/current`)).body.data;

/** Repeats `look` until it is true; the test's time limit ends it. */
async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe("requests", () => {
  test("an error replaces the work, with the given status and text, as often as configured", async () => {
    const fault = pve.faults.set({ kind: "error", method: "POST", path: "^/nodes/pve/lxc$", status: 596, count: 2 });
    pve.faults.set({ kind: "error", path: "/interfaces$", text: "got timeout" });
    for (let attempt = 0; attempt < 2; attempt++)
      expect(await client.post(LXC, nodeFields(101))).toMatchObject({ status: 596, reason: "failed" });
    expect(await create(101)).toBe("WARNINGS: 1");
    expect(await client.get(`${LXC}/101/interfaces`)).toMatchObject({
      status: 500,
      reason: "got timeout",
      body: { message: "got timeout\n" },
    });
    expect(pve.faults.list()).toMatchObject([
      { id: fault.id, kind: "error", struck: 2 },
      { kind: "error", struck: 1 },
    ]);
    expect(pve.faultLog[0]).toBe(`fault ${fault.id} (error) struck: POST /nodes/pve/lxc`);
  });

  test("a fault of a guest matches by path, by a request's parameters, and by the task that it starts", async () => {
    pve.faults.set({ kind: "error", guest: 102, status: 503 });
    const upid = (await client.post(LXC, nodeFields(101))).body.data as string;
    await client.task(upid);
    expect(await client.post(LXC, nodeFields(102))).toMatchObject({ status: 503, reason: "Service Unavailable" });
    expect((await client.get(`${LXC}/102/config`)).status).toBe(503);
    expect((await client.get(`${LXC}/101/config`)).status).toBe(200);
    const other = upid.replace(":101:", ":102:");
    expect((await client.get(`/nodes/pve/tasks/${encodeURIComponent(other)}/status`)).status).toBe(503);
  });

  test("a slow request gets the right answer late", async () => {
    pve.faults.set({ kind: "slow", path: "^/version$", seconds: 0.3, count: 1 });
    const began = Date.now();
    expect((await client.get("/version")).status).toBe(200);
    expect(Date.now() - began).toBeGreaterThanOrEqual(300);
  });

  test("a dropped request does nothing; a dropped answer leaves the work done", async () => {
    pve.faults.set({ kind: "drop", guest: 101, count: 1 });
    await expect(client.post(LXC, nodeFields(101))).rejects.toThrow(/socket hang up|ECONNRESET/);
    expect((await client.get(`${LXC}/101/config`)).status).toBe(500);
    pve.faults.set({ kind: "drop-answer", method: "POST", guest: 101, count: 1 });
    await expect(client.post(LXC, nodeFields(101))).rejects.toThrow(/socket hang up|ECONNRESET/);
    await until(async () => (await current(101))?.lock === undefined);
    expect(await client.post(LXC, nodeFields(101))).toMatchObject({
      status: 500,
      reason: "CT 101 already exists on node 'pve'",
    });
  });
});

describe("tasks", () => {
  test("a failed create leaves nothing behind, and gives the reason as Proxmox VE does", async () => {
    pve.faults.set({ kind: "task-fail", task: "vzcreate", guest: 101, text: "mkfs failed", count: 1 });
    expect(await create(101)).toBe("unable to create CT 101 - mkfs failed");
    expect((await client.get(`${LXC}/101/config`)).status).toBe(500);
    expect(pve.driver.guests.size).toBe(0);
    expect(await create(101)).toBe("WARNINGS: 1");
  });

  test("a failed start leaves the guest stopped", async () => {
    await create(101);
    pve.faults.set({ kind: "task-fail", task: "vzstart", text: "startup for container '101' failed", count: 1 });
    expect(await start(101)).toBe("startup for container '101' failed");
    expect(await current(101)).toMatchObject({ status: "stopped" });
    expect(await start(101)).toBe("WARNINGS: 1");
  });

  test("a slow create holds its lock until it ends", async () => {
    pve.faults.set({ kind: "task-slow", task: "vzcreate", seconds: 0.5, count: 1 });
    const upid = (await client.post(LXC, nodeFields(101, { description: "ours" }))).body.data as string;
    await until(async () => pve.conf(101).includes("#ours"));
    expect(await current(101)).toMatchObject({ lock: "create" });
    expect((await client.get(`/nodes/pve/tasks/${encodeURIComponent(upid)}/status`)).body.data.status).toBe("running");
    expect(await client.task(upid)).toBe("WARNINGS: 1");
  });

  test("a create whose worker is killed has no result and leaves the guest locked, with its description", async () => {
    pve.faults.set({ kind: "task-lost", task: "vzcreate", count: 1 });
    const upid = (await client.post(LXC, nodeFields(101, { description: "ours" }))).body.data as string;
    expect(await client.task(upid)).toBe("unexpected status");
    expect(pve.conf(101)).toMatch(/^#ours\n[^]*^lock: create$/m);
    expect(await start(101)).toBe("CT is locked (create)");
    expect(await client.delete(`${LXC}/101`)).toMatchObject({ status: 500, reason: "CT is locked (create)" });
  });

  test("every other task whose worker is killed has done nothing", async () => {
    await create(101);
    pve.faults.set({ kind: "task-lost", guest: 101, count: 1 });
    expect(await client.run(client.delete(`${LXC}/101`))).toBe("unexpected status");
    expect(await client.run(client.delete(`${LXC}/101`))).toBe("OK");
  });
});

describe("guests and storages", () => {
  test("a stale lock stays in the guest's file until somebody removes it", async () => {
    await create(101);
    const before = pve.conf(101);
    const fault = pve.faults.set({ kind: "lock", guest: 101 });
    expect(fault.struck).toBe(1);
    expect(pve.conf(101)).toContain("\nlock: backup\n");
    expect(await start(101)).toBe("CT is locked (backup)");
    pve.faults.clear(fault.id);
    expect(pve.conf(101)).toBe(before);

    // `pct unlock` is the remedy: the lock does not come back.
    pve.faults.set({ kind: "lock", guest: 101, text: "snapshot" });
    expect((await (await pve.root()).put(`${LXC}/101/config`, { delete: "lock" })).status).toBe(500);
    await client.get("/version");
    expect(pve.conf(101)).toContain("\nlock: snapshot\n");
  });

  test("a guest is locked as soon as it has been made", async () => {
    pve.faults.set({ kind: "lock", guest: 101 });
    expect(await create(101)).toBe("WARNINGS: 1");
    await client.get("/version");
    expect(await start(101)).toBe("CT is locked (backup)");
  });

  test("a full storage is reported as full, and refuses a new disk", async () => {
    await create(101);
    const fault = pve.faults.set({ kind: "storage-full", storage: "local-lvm" });
    const status = async () => (await client.get("/nodes/pve/storage/local-lvm/status")).body.data;
    const { total, used, avail } = await status();
    expect([used, avail]).toEqual([total, 0]);
    expect((await client.get("/nodes/pve/storage/local/status")).body.data.avail).toBeGreaterThan(0);
    expect(await create(102)).toBe(
      "unable to create CT 102 - lvcreate 'pve/vm-102-disk-0' error:   Cannot create new thin volume, free space in thin pool pve/data reached threshold.",
    );
    expect((await client.get(`${LXC}/102/config`)).status).toBe(500);
    expect(await start(101)).toBe("WARNINGS: 1");
    pve.faults.clear(fault.id);
    expect((await status()).avail).toBeGreaterThan(0);
    expect(await create(102)).toBe("WARNINGS: 1");
  });

  test("a guest without an address runs", async () => {
    await create(101);
    pve.faults.set({ kind: "no-address", guest: 101, count: 1 });
    await start(101);
    const eth0 = async () => (await client.get(`${LXC}/101/interfaces`)).body.data[1];
    expect(await current(101)).toMatchObject({ status: "running" });
    expect(await eth0()).toMatchObject({ name: "eth0", "ip-addresses": [] });
    expect(pve.conf(101)).toContain("ip=198.18.0.20/24");
    await client.run(client.post(`${LXC}/101/status/reboot`));
    expect(await eth0()).toMatchObject({ inet: "198.18.0.20/24" });
  });

  test("a guest crashes once, some time after its start", async () => {
    await create(101);
    pve.faults.set({ kind: "guest-dies", guest: 101, seconds: 0.2, count: 1 });
    expect(await start(101)).toBe("WARNINGS: 1");
    expect(await current(101)).toMatchObject({ status: "running" });
    await until(async () => (await current(101)).status === "stopped");
    expect(await start(101)).toBe("WARNINGS: 1");
    expect(pve.faultLog).toEqual(["fault 1 (guest-dies) struck: guest 101 starts"]);
  });
});

describe("setting and clearing", () => {
  test("all mistakes in a fault are listed at once", () => {
    const set = (fault: object) => () => pve.faults.set(fault as never);
    expect(set({ kind: "eror" })).toThrow(/^'eror' is no kind of fault; the kinds are error, slow, drop, /);
    expect(set({ kind: "error", path: "(", status: 200, seconds: 3, count: 0 })).toThrow(
      [
        "a fault of the kind error takes method, path, guest, count, status, text:",
        "  path: must be a regular expression",
        "  count: Too small: expected number to be >=1",
        "  status: Too small: expected number to be >=400",
        '  Unrecognized key: "seconds"',
      ].join("\n"),
    );
    expect(set({ kind: "lock" })).toThrow(/guest: /);
    expect(pve.faults.list()).toEqual([]);
  });

  test("faults survive a restart of the API; each is cleared by its number, which is never used again", async () => {
    const first = pve.faults.set({ kind: "error", path: "^/version$" });
    pve.faults.set({ kind: "drop", path: "^/nothing$" });
    await pve.restart();
    expect((await pve.token().get("/version")).status).toBe(500);
    expect(() => pve.faults.clear(77)).toThrow("there is no fault 77; set are: 1, 2");
    pve.faults.clear(first.id);
    expect((await pve.token().get("/version")).status).toBe(200);
    pve.faults.clear();
    expect(pve.faults.list()).toEqual([]);
    expect(pve.faults.set({ kind: "no-dns" }).id).toBe(3);
  });

  test("faults of requests do not affect a caller on the node itself", async () => {
    pve.faults.set({ kind: "drop" });
    await expect(client.get("/version")).rejects.toThrow();
    const status = await new Promise((resolve, reject) => {
      const request = http.get({ socketPath: pve.socket, path: "/api2/json/version" }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode));
      });
      request.on("error", reject);
    });
    expect(status).toBe(200);
  });
});
