import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import type { PulumiFn } from "@pulumi/pulumi/automation";
import * as fs from "node:fs";
import * as path from "node:path";
import { parseGuestConfig } from "../../lab/pve/guestConfig";
import { SimulatedNode, template } from "../support/pveNode";
import { PulumiRun } from "../support/pulumiRun";

// The decisive check of the API: the real engine and the real Proxmox client use it.

jest.setTimeout(900_000);

let pve: SimulatedNode;
let env: Record<string, string>;
let run: PulumiRun;

beforeAll(async () => {
  // Slow enough for the client to see running tasks.
  pve = await SimulatedNode.start({}, { delayMs: 200, addressDelayMs: 1500 });
  env = {
    PROXMOX_VE_ENDPOINT: pve.url,
    PROXMOX_VE_API_TOKEN: pve.apiToken,
    SSL_CERT_FILE: pve.caFile,
  };
  run = await PulumiRun.create("client", env);
});
afterAll(async () => {
  run?.dispose();
  await pve.stop();
});

/** A node of the cluster, with the arguments of the program. */
function nodeArgs(change: Partial<proxmox.ContainerLegacyArgs>): proxmox.ContainerLegacyArgs {
  return {
    nodeName: "pve",
    vmId: 100,
    description: "owned by: lab/client/k3s",
    tags: ["k3s-lab", "server"],
    unprivileged: false,
    operatingSystem: { templateFileId: template, type: "ubuntu" },
    cpu: { cores: 2 },
    memory: { dedicated: 4096, swap: 0 },
    disk: { datastoreId: "local-lvm", size: 32 },
    networkInterfaces: [{ name: "eth0", bridge: "vmbr0" }],
    initialization: {
      hostname: "k3s-master",
      dns: { servers: ["198.18.0.1"] },
      ipConfigs: [{ ipv4: { address: "198.18.0.20/24", gateway: "198.18.0.1" } }],
      userAccount: {
        keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJeEmBxkjfF0vYkL5PQbVbKqJ4wRz0gCq5V0mQhXb1Kc me@example"],
      },
    },
    startOnBoot: true,
    timeoutDelete: 300,
    ...change,
  };
}

function container(change: Partial<proxmox.ContainerLegacyArgs> = {}): PulumiFn {
  return async () => {
    const node = new proxmox.ContainerLegacy("k3s-master", nodeArgs(change), { ignoreChanges: ["features"] });
    return { ipv4: node.ipv4, mac: node.networkInterfaces.apply((all) => all?.[0]?.macAddress), vmId: node.vmId };
  };
}

/** The changes that earlier tests have made to the container. */
const changed: Partial<proxmox.ContainerLegacyArgs> = {
  cpu: { cores: 4 },
  tags: ["k3s-lab"],
  memory: { dedicated: 8192, swap: 0 },
};
const grown: Partial<proxmox.ContainerLegacyArgs> = { ...changed, disk: { datastoreId: "local-lvm", size: 40 } };

const requests = () =>
  pve.exchanges
    .splice(0)
    .map(({ method, path: target, status }) => `${method} ${target.replace(/UPID:[^/]*/, "UPID")} ${status}`);
const changing = () => requests().filter((line) => !line.startsWith("GET"));

test("creates a container and starts it", async () => {
  const { changes } = await run.up(container());
  expect(changes).toEqual({ create: 2 });
  expect(pve.conf(100)).toContain("#owned by%3A lab/client/k3s\n");
  expect(pve.conf(100)).toContain("tags: k3s-lab;server\n");
  expect(pve.driver.guests.get(100)?.startedAt).toBeDefined();
  expect(pve.driver.guests.get(100)?.source.sshPublicKeys).toContain("ssh-ed25519 ");
  const outputs = await run.stack.outputs();
  expect(outputs["ipv4"]?.value).toEqual({ eth0: "198.18.0.20" });
  expect(outputs["mac"]?.value).toMatch(/^BC:24:11(:[0-9A-F]{2}){3}$/);
  expect(changing().filter((line) => !line.endsWith(" 200"))).toEqual([]);
});

test("a second run changes nothing", async () => {
  expect((await run.up(container())).changes).toEqual({ same: 2 });
  expect(changing()).toEqual([]);
});

test("features and raw lines written on the host stay, with or without a refresh", async () => {
  const written = ["features: nesting=1,keyctl=1,fuse=1", "lxc.apparmor.profile: unconfined", "lxc.cap.drop: "];
  fs.appendFileSync(pve.confFile(100), written.map((line) => `${line}\n`).join(""));
  expect((await run.up(container())).changes).toEqual({ same: 2 });
  await run.stack.refresh({ color: "never" });
  requests();
  expect((await run.up(container())).changes).toEqual({ same: 2 });
  expect(changing()).toEqual([]);
});

test("changes cores and tags in place, memory with a reboot, and keeps the raw lines", async () => {
  requests();
  expect((await run.up(container(changed))).changes).toMatchObject({ update: 1 });
  expect(changing()).toEqual(["PUT /nodes/pve/lxc/100/config 200", "POST /nodes/pve/lxc/100/status/reboot 200"]);
  expect(pve.conf(100)).toContain("cores: 4\n");
  expect(pve.conf(100)).toContain("memory: 8192\n");
  expect(pve.conf(100)).toContain("features: nesting=1,keyctl=1,fuse=1\n");
  expect(pve.conf(100)).toContain("lxc.apparmor.profile: unconfined\nlxc.cap.drop: \n");
  expect(pve.driver.guests.get(100)?.config.raw).toHaveLength(2);
});

test("enlarges the disk", async () => {
  await run.up(container(grown));
  expect(pve.conf(100)).toMatch(/^rootfs: .*size=40G/m);
});

test("an existing container is imported", async () => {
  const other = await PulumiRun.create("importer", env);
  try {
    expect(await other.import("proxmoxve:index/containerLegacy:ContainerLegacy", "pve/100")).toMatchObject({
      id: "100",
      outputs: {
        // The client puts the VMID only into the ID.
        ...{ nodeName: "pve", unprivileged: false, tags: ["k3s-lab"] },
        ...{ cpu: { cores: 4 }, memory: { dedicated: 8192 }, disk: { datastoreId: "local-lvm", size: 40 } },
        initialization: { hostname: "k3s-master", ipConfigs: [{ ipv4: { address: "198.18.0.20/24" } }] },
      },
    });
  } finally {
    other.dispose();
  }
});

describe("another person's guest with the VMID, without our checks", () => {
  const foreign = `arch: amd64\nhostname: foreign\nmemory: 512\nostype: ubuntu\nrootfs: local-lvm:vm-107-disk-0,size=32G\nswap: 0\nunprivileged: 0\n`;
  const other: PulumiFn = async () => {
    new proxmox.ContainerLegacy("other", nodeArgs({ vmId: 107 }));
    return container(grown)();
  };

  test("is adopted by the client's retry, without an error or a warning, and is in the state as ours", async () => {
    await pve.driver.create(107, parseGuestConfig(foreign), { template: "" }, () => {});
    fs.writeFileSync(pve.confFile(107), foreign);
    pve.exchanges.length = 0;
    const { changes, output } = await run.up(other);
    expect(changes).toMatchObject({ create: 1 });
    expect(output).not.toMatch(/warning|error/i);
    // On a retry the client takes "already exists" for its own success: two attempts, both refused, and no task.
    const attempts = pve.exchanges.filter(({ method, path: target }) => method === "POST" && target.endsWith("/lxc"));
    expect(attempts.map(({ status, reason }) => `${status} ${reason}`)).toEqual(
      Array(2).fill("500 CT 107 already exists on node 'pve'"),
    );
    // The client then starts it as if it had made it: the first thing that happens to it.
    expect(changing().filter((line) => line.includes("/107/"))).toEqual(["POST /nodes/pve/lxc/107/status/start 200"]);
    expect(pve.conf(107)).toContain("hostname: foreign\nmemory: 512\n");
    const { deployment } = await run.stack.exportStack();
    const adopted = (deployment.resources as { urn: string; id?: string; outputs?: object }[]).find(({ urn }) =>
      urn.endsWith("::other"),
    );
    expect(adopted).toMatchObject({ id: "107", outputs: { initialization: { hostname: "foreign" } } });
  });

  test("is changed to our settings by the next run with a refresh", async () => {
    await run.stack.refresh({ color: "never" });
    requests();
    await run.up(other);
    expect(changing().filter((line) => line.includes("/107/"))).toEqual([
      "PUT /nodes/pve/lxc/107/config 200",
      "POST /nodes/pve/lxc/107/status/reboot 200",
    ]);
    expect(pve.conf(107)).toContain("hostname: k3s-master\nmemory: 4096\n");
  });
});

test("a token that sets features gets the error that only root@pam may", async () => {
  const output = await run.failingUp(async () => {
    new proxmox.ContainerLegacy("k3s-master", nodeArgs({ ...grown, features: { nesting: true, keyctl: false } }));
  });
  expect(output).toContain("changing feature flags for privileged container is only allowed for root@pam");
});

test("destroys everything, the other person's guest too", async () => {
  await run.destroy();
  expect(pve.driver.guests.size).toBe(0);
  expect(fs.readdirSync(path.dirname(pve.confFile(100)))).toEqual([]);
});
