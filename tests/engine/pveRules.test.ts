import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { AccessStore } from "../../lab/pve/access/accessStore";
import { readmeGrants } from "../../lab/pve/access/createAccess";
import { HOST_ROLE, POOL_ROLE, REQUIRED_PRIVILEGES } from "../../plan/privileges";
import type { PveClient } from "../support/httpClient";
import { nodeFields, SimulatedNode } from "../support/pveNode";

let pve: SimulatedNode;
let client: PveClient;
let root: PveClient;
beforeEach(async () => {
  pve = await SimulatedNode.start({ lockTimeoutMs: 200 }, { delayMs: 20 });
  client = pve.token();
  root = await pve.root();
});
afterEach(() => pve.stop());

const lxc = "/nodes/pve/lxc";
const config = `${lxc}/101/config`;
const create = (fields = {}, by = client) => by.run(by.post(lxc, nodeFields(101, fields)));
const refusal = (status: number, reason: string) => ({ status, reason });

describe("feature flags", () => {
  const privileged =
    "Permission check failed (changing feature flags for privileged container is only allowed for root@pam)";
  const others = "Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)";

  test("of a privileged container: only root@pam may change them, even nesting", async () => {
    expect(await client.post(lxc, nodeFields(101, { features: "nesting=1" }))).toMatchObject(refusal(403, privileged));
    await create();
    expect(await client.put(config, { features: "nesting=1" })).toMatchObject(refusal(403, privileged));
    expect(await root.put(config, { features: "nesting=1,keyctl=1,fuse=1" })).toMatchObject({ status: 200 });
    expect(pve.conf(101)).toContain("features: nesting=1,keyctl=1,fuse=1\n");
  });

  test("of an unprivileged one: whoever may create it may change nesting; only root@pam may change the rest", async () => {
    expect(await client.post(lxc, nodeFields(101, { unprivileged: 1, features: "fuse=1,nesting=1" }))).toMatchObject(
      refusal(403, others),
    );
    expect(await create({ unprivileged: 1, features: "nesting=1" })).toBe("OK");
    // The client sends all four flags in an update: a missing flag and `0` are different.
    expect(await client.put(config, { features: "fuse=0,keyctl=0,mknod=0,nesting=1" })).toMatchObject(
      refusal(403, others),
    );
    expect(await client.put(config, { features: "nesting=0" })).toMatchObject({ status: 200 });
  });

  test("a token of root is not root", async () => {
    new AccessStore(pve.etcPve).update((users) =>
      users.users.get("root@pam")!.tokens.set("ci", { expire: 0, privsep: false, comment: "" }),
    );
    const secret = new AccessStore(pve.etcPve).setTokenSecret("root@pam!ci");
    const token = pve.token(`root@pam!ci=${secret}`);
    expect(await token.post(lxc, nodeFields(101, { features: "nesting=1" }))).toMatchObject(refusal(403, privileged));
    expect(await create({ hookscript: "local:snippets/x.sh" }, token).catch(String)).toContain(
      "changing the hookscript is only allowed for root@pam",
    );
  });
});

describe("what only root@pam may set", () => {
  test.each([
    ["hookscript", "local:snippets/x.sh", "changing the hookscript is only allowed for root@pam"],
    ["dev0", "path=/dev/fuse", "configuring device passthrough is only allowed for root@pam"],
    ["mp0", "/srv/data,mp=/data", "mount point type bind is only allowed for root@pam"],
    ["mp1", "/dev/sdb1,mp=/data", "mount point type device is only allowed for root@pam"],
  ])("%s", async (key, value, text) => {
    await create();
    expect(await client.put(config, { [key]: value })).toMatchObject(refusal(403, `Permission check failed (${text})`));
    expect(await root.put(config, { [key]: value })).toMatchObject({ status: 200 });
  });
});

describe("privileges, as the README grants them", () => {
  const pool = "k3s";
  beforeEach(() => {
    client = pve.token(pve.grant("readme", readmeGrants(pool)));
  });
  const without = (privilege: string) =>
    new AccessStore(pve.etcPve).update((users) => {
      for (const { name, privileges } of [POOL_ROLE, HOST_ROLE])
        users.roles.set(name, new Set(privileges.filter((held) => held !== privilege)));
    });
  const lifecycle = async () => {
    const answers = [await client.post(lxc, nodeFields(101, { pool, description: "mark", tags: "k3s-lab" }))];
    if (answers[0]?.status === 200) await client.task(answers[0].body.data as string);
    else await root.run(root.post(lxc, nodeFields(101, { pool })));
    answers.push(await client.get(config), await client.put(config, { cores: 3, memory: 512, tags: "b" }));
    answers.push(await client.put(`${lxc}/101/resize`, { disk: "rootfs", size: "+1G" }));
    if (answers.at(-1)?.status === 200) await client.task(answers.at(-1)!.body.data as string);
    answers.push(await client.post(`${lxc}/101/status/start`));
    if (answers.at(-1)?.status === 200) await client.task(answers.at(-1)!.body.data as string);
    else await root.run(root.post(`${lxc}/101/status/start`));
    await root.run(root.post(`${lxc}/101/status/stop`));
    answers.push(await client.delete(`${lxc}/101`));
    return answers.filter(({ status }) => status !== 200).map(({ reason }) => reason);
  };

  test("the published list is enough", async () => {
    expect(await lifecycle()).toEqual([]);
  });

  test.each(Object.keys(REQUIRED_PRIVILEGES))(
    "without %s something is refused, and the refusal names it",
    async (privilege) => {
      without(privilege);
      const refusals = await lifecycle();
      // A pool can also give `VM.Allocate`, so Proxmox VE names no path.
      const text =
        privilege === "VM.Allocate" ? /^Permission check failed/ : new RegExp(`, ${privilege.replace(".", "\\.")}\\)$`);
      expect(refusals.length).toBeGreaterThan(0);
      for (const reason of refusals) expect(reason).toMatch(text);
    },
  );

  test("a privileged container needs Sys.Modify on /, an unprivileged one does not", async () => {
    without("Sys.Modify");
    expect(await client.post(lxc, nodeFields(101, { pool }))).toMatchObject(
      refusal(403, "Permission check failed (/, Sys.Modify)"),
    );
    expect(await create({ pool, unprivileged: 1, features: "nesting=1" })).toBe("OK");
  });

  test("a guest outside the pool can only be read; for a removed one the error says that it does not exist", async () => {
    await root.run(root.post(lxc, nodeFields(101)));
    await root.run(root.post(`${lxc}/101/status/start`));
    const before = pve.conf(101);
    const denied = (privilege: string) => refusal(403, `Permission check failed (/vms/101, ${privilege})`);
    expect(await client.get(config)).toMatchObject({ status: 200 });
    expect(await client.get(`${lxc}/101/status/current`)).toMatchObject({ status: 200 });
    const anyConfig = "VM.Config.Disk|VM.Config.CPU|VM.Config.Memory|VM.Config.Network|VM.Config.Options";
    expect(await client.put(config, { cores: 3 })).toMatchObject(denied(anyConfig));
    expect(await client.put(`${lxc}/101/resize`, { disk: "rootfs", size: "+1G" })).toMatchObject(
      denied("VM.Config.Disk"),
    );
    for (const verb of ["start", "shutdown", "stop", "reboot"])
      expect(await client.post(`${lxc}/101/status/${verb}`)).toMatchObject(denied("VM.PowerMgmt"));
    expect(await client.delete(`${lxc}/101`, { force: 1 })).toMatchObject(denied("VM.Allocate"));
    expect(await client.post(lxc, nodeFields(102))).toMatchObject(refusal(403, "Permission check failed"));
    expect(pve.conf(101)).toBe(before);
    expect((await client.get(`${lxc}/101/status/current`)).body.data.status).toBe("running");
    expect(await client.get("/nodes/pve/lxc/103/config")).toMatchObject({
      status: 500,
      reason: expect.stringContaining("does not exist"),
    });
  });

  test("a destroyed guest leaves its pool: the next one with its VMID is not in it", async () => {
    await create({ pool });
    expect(await client.run(client.delete(`${lxc}/101`))).toBe("OK");
    await root.run(root.post(lxc, nodeFields(101)));
    expect(await client.delete(`${lxc}/101`)).toMatchObject(
      refusal(403, "Permission check failed (/vms/101, VM.Allocate)"),
    );
  });

  test("by default a container is unprivileged", async () => {
    const { unprivileged: _, ...fields } = nodeFields(101, { pool });
    await client.run(client.post(lxc, fields));
    expect((await client.get(config)).body.data.unprivileged).toBe(1);
  });
});

describe("locks and VMIDs", () => {
  test("a VMID in use is refused at once, also while its guest is being made", async () => {
    await pve.stop();
    let finish = () => {};
    const gate = new Promise<void>((resolve) => (finish = resolve));
    pve = await SimulatedNode.start({ onTask: () => gate });
    client = pve.token();
    const upid = (await client.post(lxc, nodeFields(101))).body.data as string;
    expect(await client.post(lxc, nodeFields(101))).toMatchObject(refusal(500, "CT 101 already exists on node 'pve'"));
    expect((await client.get(`${lxc}/101/status/current`)).body.data.lock).toBe("create");
    const locked = refusal(500, "CT is locked (create)");
    expect(await client.delete(`${lxc}/101`)).toMatchObject(locked);
    expect(await client.put(`${lxc}/101/resize`, { disk: "rootfs", size: "40G" })).toMatchObject(locked);
    expect(await client.put(config, { cores: 1 })).toMatchObject(locked);
    finish();
    await client.task(upid);
    expect((await client.get(`${lxc}/101/status/current`)).body.data).not.toHaveProperty("lock");
  });

  test("of twenty parallel creations of one VMID only one succeeds", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.post(lxc, nodeFields(101))));
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(answers.filter(({ reason }) => reason === "CT 101 already exists on node 'pve'")).toHaveLength(19);
    await client.task(won[0]!.body.data as string);
  });

  test("a lock in the file allows only reading", async () => {
    await create();
    fs.appendFileSync(pve.confFile(101), "lock: backup\n");
    const locked = "CT is locked (backup)";
    expect(await client.put(config, { cores: 3 })).toMatchObject(refusal(500, locked));
    expect(await client.run(client.post(`${lxc}/101/status/start`))).toBe(locked);
    expect(await client.post(`${lxc}/101/status/start`, { skiplock: 1 })).toMatchObject({
      status: 400,
      body: { errors: { skiplock: "Only root may use this option." } },
    });
    expect(await root.run(root.post(`${lxc}/101/status/start`, { skiplock: 1 }))).toBe("WARNINGS: 1");
    expect(await client.run(client.post(`${lxc}/101/status/shutdown`))).toBe(locked);
  });

  test("a guest's lock file is held during a change, and a change waits if another program holds it", async () => {
    await pve.stop();
    const lockDir = fs.mkdtempSync(path.join(os.tmpdir(), "lock-"));
    const file = path.join(lockDir, "lxc/pve-config-101.lock");
    const isFree = () => spawnSync("flock", ["-n", file, "true"]).status === 0;
    const seen: boolean[] = [];
    pve = await SimulatedNode.start({ lockDir, lockTimeoutMs: 500 }, { delayMs: 100 });
    client = pve.token();
    try {
      const upid = (await client.post(lxc, nodeFields(101))).body.data as string;
      while ((await client.get(`/nodes/pve/tasks/${upid}/status`)).body.data.status === "running")
        if (fs.existsSync(file)) seen.push(isFree());
      expect(seen).toContain(false);
      const holder = spawn("flock", ["-F", file, "sh", "-c", "echo held; exec sleep 60"], { stdio: "pipe" });
      await once(holder.stdout, "data");
      expect(await client.put(config, { cores: 3 })).toMatchObject(
        refusal(500, `can't lock file '${file}' - got timeout`),
      );
      holder.kill();
      expect(await client.put(config, { cores: 3 })).toMatchObject({ status: 200 });
    } finally {
      fs.rmSync(lockDir, { recursive: true });
    }
  });

  test("a caller that waits too long for a busy guest gets Proxmox VE's error", async () => {
    await pve.stop();
    pve = await SimulatedNode.start({ lockTimeoutMs: 50 }, { delayMs: 300 });
    client = pve.token();
    const upid = (await client.post(lxc, nodeFields(101))).body.data as string;
    expect(await client.put(config, { cores: 3 })).toMatchObject(
      refusal(500, "can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout"),
    );
    await client.task(upid);
  });

  test("nextid is the lowest free VMID, and reports a used one", async () => {
    expect((await client.get("/cluster/nextid")).body.data).toBe(100);
    await create();
    expect((await client.get("/cluster/nextid", { vmid: 102 })).body.data).toBe(102);
    expect(await client.get("/cluster/nextid", { vmid: 101 })).toMatchObject({
      status: 400,
      reason: "Parameter verification failed.",
      body: { errors: { vmid: "VM 101 already exists" } },
    });
  });
});

describe("destroying", () => {
  test("a running guest is refused", async () => {
    await create();
    await client.run(client.post(`${lxc}/101/status/start`));
    expect(await client.delete(`${lxc}/101`)).toMatchObject(
      refusal(500, "unable to destroy CT 101 - container is running"),
    );
    expect(await client.post(`${lxc}/101/status/start`)).toMatchObject(refusal(500, "CT 101 already running"));
    expect(await client.run(client.delete(`${lxc}/101`, { force: 1 }))).toBe("OK");
  });

  test("a protected guest is refused, and so is a change of its disk", async () => {
    await create({ protection: 1 });
    expect(await client.delete(`${lxc}/101`)).toMatchObject(
      refusal(500, "can't remove CT 101 - protection mode enabled"),
    );
    expect(await client.put(config, { rootfs: "volume=local-lvm:vm-101-disk-0,size=32G,acl=1" })).toMatchObject(
      refusal(500, "can't update CT 101 drive 'rootfs' - protection mode enabled"),
    );
    await client.put(config, { protection: 0 });
    expect(await client.run(client.delete(`${lxc}/101`))).toBe("OK");
  });

  test("the error for an unknown guest says that its file does not exist", async () => {
    const missing = refusal(500, "Configuration file 'nodes/pve/lxc/101.conf' does not exist");
    expect(await client.get(config)).toMatchObject(missing);
    expect(await client.put(config, { cores: 1 })).toMatchObject(missing);
    expect(await client.delete(`${lxc}/101`)).toMatchObject(missing);
    expect(await client.post(`${lxc}/101/status/stop`)).toMatchObject(refusal(500, "CT 101 not running"));
    expect(await client.run(client.post(`${lxc}/101/status/start`))).toBe(missing.reason);
  });
});

describe("changes", () => {
  beforeEach(async () => {
    await create({ nameserver: "198.18.0.1", hostname: "old" });
    await client.run(client.post(`${lxc}/101/status/start`));
  });

  test("on a running guest some take effect at once, others at the next start", async () => {
    await client.put(config, {
      cores: 4,
      memory: 2048,
      hostname: "new",
      nameserver: "198.18.0.2",
      searchdomain: "lab",
    });
    expect(pve.driver.guests.get(101)!.applied).toEqual(["cores", "hostname", "memory"]);
    expect(pve.conf(101)).toContain("\n[pve:pending]\nnameserver: 198.18.0.2\nsearchdomain: lab\n");
    expect((await client.get(config)).body.data).toMatchObject({ nameserver: "198.18.0.2", searchdomain: "lab" });
    expect((await client.get(config, { current: 1 })).body.data).toMatchObject({ nameserver: "198.18.0.1", cores: 4 });
    const { data } = (await client.get(`${lxc}/101/pending`)).body;
    expect(data).toContainEqual({ key: "nameserver", value: "198.18.0.1", pending: "198.18.0.2" });
    expect(data).toContainEqual({ key: "searchdomain", pending: "lab" });

    expect(await client.run(client.post(`${lxc}/101/status/reboot`, { timeout: 5 }))).toBe("WARNINGS: 1");
    expect(pve.conf(101)).not.toContain("[pve:pending]");
    expect(pve.driver.guests.get(101)!.config.options.get("nameserver")).toBe("198.18.0.2");
  });

  test("deletions wait, too, and can be undone", async () => {
    await client.put(config, { delete: "nameserver" });
    expect(pve.conf(101)).toContain("\n[pve:pending]\ndelete: nameserver\n");
    expect((await client.get(config)).body.data).not.toHaveProperty("nameserver");
    await client.put(config, { revert: "nameserver" });
    expect(pve.conf(101)).not.toContain("[pve:pending]");
    expect((await client.get(config)).body.data.nameserver).toBe("198.18.0.1");
  });

  test("a form key may be repeated, and interfaces that do not exist may be deleted", async () => {
    expect(await client.put(config, { delete: ["net1", "net2"], cores: 1 })).toMatchObject({
      status: 200,
      body: { data: null },
    });
    expect(await client.put(config, { cores: ["1", "2"] })).toMatchObject({
      status: 400,
      body: { errors: { cores: "type check ('integer') failed - got ARRAY" } },
    });
  });

  test("an interface keeps a given MAC address; without one it gets a new one", async () => {
    await client.put(config, { net0: "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=dhcp" });
    expect(pve.conf(101)).toContain("net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=dhcp,type=veth\n");
    await client.put(config, { net1: "name=eth1,bridge=vmbr0" });
    expect(pve.conf(101)).toMatch(/net1: name=eth1,bridge=vmbr0,hwaddr=BC:24:11:[0-9A-F:]{8},type=veth\n/);
  });

  test("an empty change, a stale digest and read-only options are refused", async () => {
    expect(await client.put(config)).toMatchObject(refusal(500, "no options specified"));
    const { digest } = (await client.get(config)).body.data;
    expect(await client.put(config, { cores: 1, digest })).toMatchObject({ status: 200 });
    expect(await client.put(config, { cores: 2, digest })).toMatchObject(
      refusal(500, "detected modified configuration - file changed by other user? Try again."),
    );
    expect(await client.put(config, { unprivileged: 1 })).toMatchObject(
      refusal(500, "unable to modify read-only option: 'unprivileged'"),
    );
    expect(await client.put(config, { delete: "memory" })).toMatchObject(
      refusal(500, "unable to delete required option 'memory'"),
    );
  });
});

describe("raw lines", () => {
  const raw = [
    "lxc.mount.entry: /dev/kmsg dev/kmsg none bind,rw,optional,create=file",
    "lxc.apparmor.profile: unconfined",
    "lxc.cap.drop: ",
    "lxc.cgroup2.devices.allow: a",
    "lxc.mount.auto: proc:rw sys:rw",
  ];

  test("can be read through the API but not written, and stay when it writes the file", async () => {
    await create();
    fs.appendFileSync(pve.confFile(101), `${raw.join("\n")}\n`);
    const { data } = (await client.get(config)).body;
    expect(data.lxc).toEqual([
      ["lxc.mount.entry", "/dev/kmsg dev/kmsg none bind,rw,optional,create=file"],
      ["lxc.apparmor.profile", "unconfined"],
      ["lxc.cap.drop", ""],
      ["lxc.cgroup2.devices.allow", "a"],
      ["lxc.mount.auto", "proc:rw sys:rw"],
    ]);
    expect(await root.put(config, { lxc: "lxc.cap.drop=" })).toMatchObject({
      status: 400,
      body: {
        errors: { lxc: "property is not defined in schema and the schema does not allow additional properties" },
      },
    });
    await client.put(config, { cores: 3, description: "still there" });
    expect(pve.conf(101).endsWith(`${raw.join("\n")}\n`)).toBe(true);
    await client.run(client.post(`${lxc}/101/status/start`));
    expect(pve.driver.guests.get(101)!.config.raw).toHaveLength(5);
  });

  test("that are written while the guest runs take effect at its next start", async () => {
    await create();
    await client.run(client.post(`${lxc}/101/status/start`));
    fs.appendFileSync(pve.confFile(101), `${raw.join("\n")}\n`);
    expect(pve.driver.guests.get(101)!.config.raw).toHaveLength(0);
    await client.run(client.post(`${lxc}/101/status/reboot`));
    expect(pve.driver.guests.get(101)!.config.raw).toHaveLength(5);
  });
});

describe("bad parameters", () => {
  test("all of them are named at once", async () => {
    expect(
      await client.post(
        lxc,
        nodeFields(101, { memory: "much", cores: 0, net0: "bridge=vmbr0", hostname: "a_b", colour: "red" }),
      ),
    ).toMatchObject({
      status: 400,
      reason: "Parameter verification failed.",
      body: {
        data: null,
        message: "Parameter verification failed.\n",
        errors: {
          memory: "type check ('integer') failed - got 'much'",
          cores: "value must have a minimum value of 1",
          net0: "invalid format - format error\nnet0.name: property is missing and it is not optional\n",
          hostname: "invalid format - value does not look like a valid DNS name\n",
          colour: "property is not defined in schema and the schema does not allow additional properties",
        },
      },
    });
  });

  test("a missing parameter is named", async () => {
    const { ostemplate: _, ...fields } = nodeFields(101);
    expect((await client.post(lxc, fields)).body.errors).toEqual({
      ostemplate: "property is missing and it is not optional",
    });
  });

  test("a storage without containers, an unknown storage and a wrong kind of volume", async () => {
    expect(await client.post(lxc, nodeFields(101, { rootfs: "local:8" }))).toMatchObject({
      status: 400,
      body: { errors: { storage: "storage 'local' does not support container directories" } },
    });
    expect(await client.post(lxc, nodeFields(101, { rootfs: "nowhere:8" }))).toMatchObject(
      refusal(500, "storage 'nowhere' does not exist"),
    );
    expect(await client.post(lxc, nodeFields(101, { ostemplate: "local:iso/x.iso" }))).toMatchObject(
      refusal(500, "unable to use volume local:iso/x.iso - content type needs to be 'vztmpl'"),
    );
  });

  test("invalid SSH keys", async () => {
    expect(await client.post(lxc, nodeFields(101, { "ssh-public-keys": "not a key" }))).toMatchObject(
      refusal(500, "SSH public key validation error"),
    );
  });
});
