import { nodeFields, SimulatedNode } from "../support/pveNode";

describe("the life of a container, by an API token", () => {
  let pve: SimulatedNode;
  beforeEach(async () => {
    pve = await SimulatedNode.start();
  });
  afterEach(() => pve.stop());

  test("create, start, read, shut down, destroy", async () => {
    const client = pve.token();
    expect(
      await client.run(client.post("/nodes/pve/lxc", nodeFields(101, { description: "one\ntwo: ü", tags: "b;a" }))),
    ).toBe("WARNINGS: 1");
    expect(pve.conf(101)).toMatch(
      new RegExp(
        [
          "^#one\n#two%3A %C3%BC\narch: amd64\ncores: 2\nhostname: k3s-101\nmemory: 4096\nnameserver: 198\\.18\\.0\\.1",
          "net0: name=eth0,[^\n]+\nonboot: 1\nostype: ubuntu\nrootfs: local-lvm:vm-101-disk-0,size=32G\nswap: 0\ntags: a;b\n$",
        ].join("\n"),
      ),
    );
    const { data: config } = (await client.get("/nodes/pve/lxc/101/config")).body;
    expect(config).toMatchObject({
      cores: 2,
      memory: 4096,
      onboot: 1,
      swap: 0,
      description: "one\ntwo: ü\n",
      tags: "a;b",
      rootfs: "local-lvm:vm-101-disk-0,size=32G",
      net0: expect.stringMatching(
        /^name=eth0,bridge=vmbr0,firewall=0,gw=198\.18\.0\.1,host-managed=0,hwaddr=BC:24:11(:[0-9A-F]{2}){3},ip=198\.18\.0\.20\/24,type=veth$/,
      ),
      digest: expect.stringMatching(/^[0-9a-f]{40}$/),
    });
    expect(config).not.toHaveProperty("unprivileged");

    expect(await client.run(client.post("/nodes/pve/lxc/101/status/start"))).toBe("WARNINGS: 1");
    expect((await client.get("/nodes/pve/lxc/101/status/current")).body.data).toMatchObject({
      vmid: 101,
      type: "lxc",
      status: "running",
      name: "k3s-101",
      cpus: 2,
      maxmem: 4096 * 1024 ** 2,
      maxdisk: 32 * 1024 ** 3,
      ha: { managed: 0 },
    });
    const { data: interfaces } = (await client.get("/nodes/pve/lxc/101/interfaces")).body;
    expect(interfaces[1]).toMatchObject({
      name: "eth0",
      inet: "198.18.0.20/24",
      "ip-addresses": [{ "ip-address": "198.18.0.20", prefix: 24, "ip-address-type": "inet" }],
    });

    expect(await client.run(client.post("/nodes/pve/lxc/101/status/shutdown", { forceStop: 1, timeout: 5 }))).toBe(
      "OK",
    );
    expect((await client.get("/nodes/pve/lxc/101/interfaces")).body.data).toBeNull();
    expect(await client.run(client.delete("/nodes/pve/lxc/101"))).toBe("OK");
    expect(await client.get("/nodes/pve/lxc/101/status/current")).toMatchObject({
      status: 500,
      reason: "Configuration file 'nodes/pve/lxc/101.conf' does not exist",
    });
    expect(pve.driver.guests.size).toBe(0);
  });

  test("start=1 starts the guest in a second task", async () => {
    const client = pve.token();
    await client.run(client.post("/nodes/pve/lxc", nodeFields(101, { start: 1 })));
    const { body } = await client.get("/nodes/pve/tasks", { source: "all", vmid: 101 });
    const types = (body.data as { type: string }[]).map(({ type }) => type);
    expect(types).toEqual(["vzstart", "vzcreate"]);
    const start = (body.data as { upid: string; type: string }[]).find(({ type }) => type === "vzstart")!;
    await client.task(start.upid);
    expect((await client.get("/nodes/pve/lxc/101/status/current")).body.data.status).toBe("running");
  });

  test("the UPID names the token, and the status shows it in its own field", async () => {
    const client = pve.token();
    const upid = (await client.post("/nodes/pve/lxc", nodeFields(101))).body.data as string;
    expect(upid).toMatch(/^UPID:pve:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:vzcreate:101:pulumi@pve!pulumi:$/);
    await client.task(upid);
    const { data } = (await client.get(`/nodes/pve/tasks/${upid}/status`)).body;
    expect(data).toMatchObject({ upid, user: "pulumi@pve", tokenid: "pulumi", id: "101", status: "stopped" });
    expect(await client.log(upid)).toEqual([
      expect.stringMatching(/^extracting archive '.*template\.tar\.zst'$/),
      "Detected container architecture: amd64",
      "WARN: Systemd 249 detected. You may need to enable nesting.",
      "TASK WARNINGS: 1",
    ]);
  });

  test("the driver gets the template, the keys, the password and an unmanaged system", async () => {
    const client = pve.token();
    const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJeEmBxkjfF0vYkL5PQbVbKqJ4wRz0gCq5V0mQhXb1Kc one@example";
    const fields = nodeFields(101, { ostype: "unmanaged", "ssh-public-keys": key, password: "secret-of-root" });
    expect(await client.run(client.post("/nodes/pve/lxc", fields))).toBe("OK");
    const guest = pve.driver.guests.get(101)!;
    expect(guest.source).toEqual({ template: pve.templateFile, sshPublicKeys: key, password: "secret-of-root" });
    expect(guest.config.options.get("ostype")).toBe("unmanaged");
    expect(pve.conf(101)).not.toMatch(/secret|ssh-/);
  });

  test("a missing template fails the task and leaves no guest", async () => {
    const client = pve.token();
    const fields = nodeFields(101, { ostemplate: "local:vztmpl/other_amd64.tar.zst" });
    expect(await client.run(client.post("/nodes/pve/lxc", fields))).toBe(
      "unable to create CT 101 - can't find file 'local:vztmpl/other_amd64.tar.zst'",
    );
    expect((await client.get("/nodes/pve/lxc")).body.data).toEqual([]);
    expect((await client.get("/cluster/nextid")).body.data).toBe(100);
  });

  test("a disk grows and never shrinks", async () => {
    const client = pve.token();
    await client.run(client.post("/nodes/pve/lxc", nodeFields(101)));
    const resize = (size: string) => client.put("/nodes/pve/lxc/101/resize", { disk: "rootfs", size });
    expect(await client.run(resize("40G"))).toBe("OK");
    expect(await client.run(resize("+2G"))).toBe("OK");
    expect(pve.conf(101)).toContain("rootfs: local-lvm:vm-101-disk-0,size=42G\n");
    expect(await resize("8G")).toMatchObject({ status: 500, reason: "unable to shrink disk size" });
    expect(await resize("42G")).toMatchObject({ status: 500, reason: "disk is already at specified size" });
    // Only an auditor of the storage sees whose disks they are.
    expect((await client.get("/nodes/pve/storage/local-lvm/content")).body.data).toEqual([]);
    const root = await pve.root();
    expect((await root.get("/nodes/pve/storage/local-lvm/content")).body.data).toEqual([
      { volid: "local-lvm:vm-101-disk-0", content: "rootdir", format: "raw", size: 42 * 1024 ** 3, vmid: 101 },
    ]);
  });

  test("a guest that does not power off: without force the task fails, with force the guest is stopped", async () => {
    await pve.stop();
    pve = await SimulatedNode.start({}, { ignoresShutdown: () => true });
    const client = pve.token();
    await client.run(client.post("/nodes/pve/lxc", nodeFields(101)));
    await client.run(client.post("/nodes/pve/lxc/101/status/start"));
    expect(await client.run(client.post("/nodes/pve/lxc/101/status/shutdown", { timeout: 1 }))).toBe(
      "container did not stop",
    );
    expect(await client.run(client.post("/nodes/pve/lxc/101/status/shutdown", { timeout: 1, forceStop: 1 }))).toBe(
      "OK",
    );
    expect((await client.get("/nodes/pve/lxc/101/status/current")).body.data.status).toBe("stopped");
  });

  test("the state survives a restart of the API; an interrupted task counts as failed", async () => {
    const slow = await SimulatedNode.start({}, { delayMs: 300 });
    try {
      const client = slow.token();
      await client.run(client.post("/nodes/pve/lxc", nodeFields(101)));
      const upid = (await client.post("/nodes/pve/lxc/101/status/start")).body.data as string;
      const abandoned = slow.driver.guests;
      await slow.restart();
      const again = slow.token();
      expect((await again.get(`/nodes/pve/tasks/${upid}/status`)).body.data).toMatchObject({
        status: "stopped",
        exitstatus: "unexpected status",
      });
      expect((await again.get("/nodes/pve/lxc/101/config")).body.data.hostname).toBe("k3s-101");
      expect((await again.get("/nodes/pve/tasks", { statusfilter: "unknown" })).body.data).toMatchObject([
        { upid, status: "unexpected status" },
      ]);
      expect(abandoned.size).toBe(1);
    } finally {
      await slow.stop();
    }
  });
});
