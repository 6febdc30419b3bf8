import { findLab, labNetwork } from "../../lab/lab";
import { eventually, type Finished, finish, Lab } from "../support/lab";

/*
 * Trouble around a cluster, with real parts: other people's guests with our VMIDs, joins that fail half-way, containers that
 * somebody destroyed. One lab; the order lets each up serve as many checks as possible. The tests build on each other, so only the
 * first failure matters.
 */

const lab = new Lab("trouble");
const FIXED_MAC = "BC:24:11:5A:5A:5A";
const TEMPLATE = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";

const up = (...args: string[]): Promise<Finished> => lab.pulumi("up", "--yes", "--skip-preview", ...args);
const upOk = (...args: string[]): Promise<string> => lab.pulumiOk("up", "--yes", "--skip-preview", ...args);
/** An address of the lab's network. */
const at = (last: number): string => `${labNetwork(findLab(lab.name)!.subnet).prefix}.${last}`;

/** Names of the nodes that are Ready. */
async function readyNodes(): Promise<string[]> {
  const { nodes } = JSON.parse((await lab.cli("status", "--json")).stdout) as {
    nodes: { name: string; ready: boolean }[];
  };
  return nodes.filter((node) => node.ready).map((node) => node.name);
}

/** Everything that is left of a node in the cluster, on the host and in the state; empty for a removed node. */
async function traces(name: string, vmid: number): Promise<string> {
  const secret = ["-n", "kube-system", "get", "secret", `${name}.node-password.k3s`];
  const found = [
    await lab.kubectl("get", "node", name, "--ignore-not-found", "-o", "name"),
    await lab.kubectl(...secret, "--ignore-not-found", "-o", "name"),
    await lab.host(`ls -d /etc/pve/lxc/${vmid}.conf /var/lib/lxc/${vmid} 2>/dev/null || true`),
    (await resources()).filter((resource) => resource === name || resource.startsWith(`${name}-`)).join("\n"),
  ];
  return found.join("\n").trim();
}

/** Names of the resources in the state, without components. */
async function resources(): Promise<string[]> {
  const { deployment } = JSON.parse(await lab.pulumiOk("stack", "export")) as {
    deployment: { resources?: { urn: string; custom: boolean }[] };
  };
  return (deployment.resources ?? []).filter(({ custom }) => custom).map(({ urn }) => urn.split("::").at(-1)!);
}

/** Makes another person's container by hand. @returns its configuration and its start time */
async function makeStranger(vmid: number): Promise<string> {
  const net = `name=eth0,bridge=vmbr0,ip=${at(90)}/24,gw=${at(1)}`;
  await lab.host(
    `pct create ${vmid} ${TEMPLATE} --hostname nas --unprivileged 0 --rootfs local-lvm:4 --net0 ${net} --start 1`,
  );
  return eventually(30, () => stranger(vmid));
}

/** The container's configuration, and the start time of its init process. */
const stranger = (vmid: number): Promise<string> =>
  lab.host(`cat /etc/pve/lxc/${vmid}.conf && pct exec ${vmid} -- stat -c %y /proc/1`);

const destroyByHand = (vmid: number): Promise<string> => lab.host(`pct stop ${vmid}; pct destroy ${vmid}`);

/** The error of a step, up to its line `next:`. */
function errorOf(run: Finished, step: string): string {
  expect(run.code).not.toBe(0);
  const found = new RegExp(`error: ${step}: [^]*?\\n\\s*next: [^\\n]*`).exec(run.stdout + run.stderr);
  return found?.[0] ?? `no error of ${step} in:\n${run.stdout}${run.stderr}`;
}

beforeAll(async () => {
  await lab.down();
  await lab.up();
  await lab.configure("pools.worker.count", "1");
  await lab.configure('pools.worker.nodes["2"].mac', FIXED_MAC);
  await upOk();
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);

describe("another person's container with a VMID of ours", () => {
  it("is named by up, runs on untouched, and is not in the state", async () => {
    const before = await makeStranger(103);
    await lab.configure("pools.worker.count", "2");
    const run = await up();
    expect(run.code).not.toBe(0);
    expect(run.stdout + run.stderr).toMatch(/VMID 103[^\n]* guest "nas"/);
    expect(await stranger(103)).toBe(before);
    expect((await resources()).filter((name) => name.startsWith("k3s-worker-02"))).toEqual([]);
    expect(await lab.pulumiOk("stack", "export")).not.toContain('"nas"');
    await destroyByHand(103);
  }, 180_000);
});

describe("joins that fail half-way", () => {
  const agentToken = "/etc/rancher/k3s/agent-token";

  it("because the server refuses the token: each node, the step and the cause are named", async () => {
    await lab.inGuest(100, `cp -p ${agentToken} /root/kept; echo another-token >${agentToken}; systemctl restart k3s`);
    await lab.configure("pools.worker.count", "3");
    const run = await up("--continue-on-error");
    for (const name of ["k3s-worker-02", "k3s-worker-03"])
      expect(errorOf(run, `${name}-k3s`)).toContain(`k3s-agent on ${name}: the server refuses the token`);
    expect(await readyNodes()).toEqual(["k3s-master", "k3s-worker-01"]);
  }, 400_000);

  it("because of another CA at the server's address, or no route to it: the same, within the time limit", async () => {
    await impostor(103);
    // With the right token the other node continues by itself and gets half-way: it is in the cluster, but not in the state.
    await lab.inGuest(100, `mv /root/kept ${agentToken}; systemctl restart k3s`);
    await eventually(60, () => lab.kubectl("get", "node", "k3s-worker-03"));
    await lab.inGuest(104, `ip route add unreachable ${at(20)}/32`);
    await lab.configure("k3s.startTimeout", "30s");
    const began = Date.now();
    const run = await up("--continue-on-error");
    expect(Date.now() - began).toBeLessThan(120_000);
    expect(errorOf(run, "k3s-worker-02-k3s")).toContain(
      "k3s-agent on k3s-worker-02: the server's CA is not the one in the token",
    );
    expect(errorOf(run, "k3s-worker-03-k3s")).toContain("k3s-agent on k3s-worker-03: no server answered within 30 s");
  }, 400_000);

  it("succeed after a correction; if the node is removed from the config instead, nothing is left", async () => {
    await lab.inGuest(103, `systemctl stop impostor; ip address del ${at(20)}/32 dev lo`);
    await lab.configure("pools.worker.count", "2");
    await upOk();
    expect(await readyNodes()).toEqual(["k3s-master", "k3s-worker-01", "k3s-worker-02"]);
    expect(await traces("k3s-worker-03", 104)).toBe("");
  }, 400_000);

  /** Lets the server's address lead, inside the guest, to an HTTPS server with another CA. */
  async function impostor(vmid: number): Promise<void> {
    const request = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=impostor -days 2";
    await lab.inGuest(
      vmid,
      `mkdir -p /root/impostor && cd /root/impostor
       openssl req ${request} -keyout key.pem -out cert.pem 2>/dev/null
       { printf 'HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n'; cat cert.pem; } >cacerts
       ip address add ${at(20)}/32 dev lo
       systemd-run -q --unit impostor --working-directory /root/impostor openssl s_server -quiet -accept 6443 -key key.pem -cert cert.pem -HTTP`,
    );
    await eventually(10, async () =>
      (await lab.inGuest(vmid, `curl -sk https://${at(20)}:6443/cacerts`)).includes("BEGIN"),
    );
  }
});

describe("a container that somebody destroyed", () => {
  it("is removed by the command that the failed up names, and its node has left the cluster", async () => {
    await destroyByHand(102);
    await lab.configure("pools.worker.retired[0]", "1");
    await lab.configure("pools.worker.count", "1");
    const run = await up();
    expect(run.code).not.toBe(0);
    expect(run.stdout).toContain("next:  run the same command again with --refresh");
    expect(await lab.kubectl("get", "nodes", "-o", "name")).not.toContain("k3s-worker-01");
    await upOk("--refresh");
    expect(await traces("k3s-worker-01", 102)).toBe("");
    expect(await readyNodes()).toEqual(["k3s-master", "k3s-worker-02"]);
  }, 300_000);

  it("comes back after a refresh and joins, even with a fixed MAC", async () => {
    const uid = (): Promise<string> => lab.kubectl("get", "node", "k3s-worker-02", "-o", "jsonpath={.metadata.uid}");
    const before = await uid();
    await destroyByHand(103);
    const output = await upOk("--refresh");
    for (const step of ["leave", "lxc", "host-key", "k3s", "ready"])
      expect(output).toMatch(new RegExp(`k3s-worker-02-${step} (replaced|created)`));
    expect(await readyNodes()).toEqual(["k3s-master", "k3s-worker-02"]);
    // The old node has left, and this is a new one.
    expect(await uid()).not.toBe(before);
    expect(await lab.host("pct config 103")).toContain(`hwaddr=${FIXED_MAC}`);
    await lab.pulumiOk("preview", "--expect-no-changes");
  }, 300_000);

  it("stops destroy, whose error names the remedy; so does another person's container in its place, which stays", async () => {
    await destroyByHand(103);
    const before = await makeStranger(103);
    // A refresh takes the other container for ours; an up would change it.
    expect(errorOf(await up("--refresh"), "k3s-worker-02-claim")).toContain('belongs to the guest "nas"');
    await destroyByHand(100);
    const run = await lab.pulumi("destroy", "--yes", "--skip-preview", "--continue-on-error");
    expect(run.stdout).toMatch(
      /guest 100 of k3s-master is already gone[^]*next: {2}run the same command again with --refresh/,
    );
    const error = errorOf(run, "k3s-worker-02-guard");
    expect(error).toContain('belongs to the guest "nas"');
    // As a person would do it: copied from the message into the shell.
    const command = /pulumi state delete [^,\n]*/.exec(error)?.[0] ?? "false";
    expect(await finish("sh", ["-c", command], lab.environment)).toMatchObject({ code: 0 });
    await lab.pulumiOk("destroy", "--yes", "--skip-preview", "--refresh");
    expect(await resources()).toEqual([]);
    expect(await stranger(103)).toBe(before);
  }, 300_000);
});
