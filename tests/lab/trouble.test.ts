import { findLab, labNetwork } from "../../lab/lab";
import { eventually, type Finished, finish, Lab } from "../support/lab";

/*
 * What goes wrong around a cluster, on real parts: strangers on our VMIDs, joins that fail half-way, containers that
 * somebody destroyed. One lab, in an order in which each up serves as many checks as it can; the first failure is the
 * one to read.
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

/** All that is left of a node in the cluster, on the host and in the state; of a node that is gone, nothing. */
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

/** Names of the resources in the state, components left out. */
async function resources(): Promise<string[]> {
  const { deployment } = JSON.parse(await lab.pulumiOk("stack", "export")) as {
    deployment: { resources?: { urn: string; custom: boolean }[] };
  };
  return (deployment.resources ?? []).filter(({ custom }) => custom).map(({ urn }) => urn.split("::").at(-1)!);
}

/** A stranger's container, made by hand; answers what it is and since when it runs. */
async function makeStranger(vmid: number): Promise<string> {
  const net = `name=eth0,bridge=vmbr0,ip=${at(90)}/24,gw=${at(1)}`;
  await lab.host(
    `pct create ${vmid} ${TEMPLATE} --hostname nas --unprivileged 0 --rootfs local-lvm:4 --net0 ${net} --start 1`,
  );
  return eventually(30, () => stranger(vmid));
}

/** Its configuration, and when its init process was started. */
const stranger = (vmid: number): Promise<string> =>
  lab.host(`cat /etc/pve/lxc/${vmid}.conf && pct exec ${vmid} -- stat -c %y /proc/1`);

const destroyByHand = (vmid: number): Promise<string> => lab.host(`pct stop ${vmid}; pct destroy ${vmid}`);

/** The error of a step, up to the line that says what to do next. */
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

describe("a stranger's container on a VMID of ours", () => {
  it("is named by up, goes on untouched, and does not come into the state", async () => {
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

  it("by a token that the server refuses: each node, the step and the cause are named", async () => {
    await lab.inGuest(100, `cp -p ${agentToken} /root/kept; echo another-token >${agentToken}; systemctl restart k3s`);
    await lab.configure("pools.worker.count", "3");
    const run = await up("--continue-on-error");
    for (const name of ["k3s-worker-02", "k3s-worker-03"])
      expect(errorOf(run, `${name}-k3s`)).toContain(`k3s-agent on ${name}: the server refuses the token`);
    expect(await readyNodes()).toEqual(["k3s-master", "k3s-worker-01"]);
  }, 400_000);

  it("by another CA at the server's address, and by no route to it: the same, within the bound", async () => {
    await impostor(103);
    // Once the token is right the other goes on by itself and gets half-way: into the cluster, and not into the state.
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

  it("end well once corrected; removed from the config instead, nothing is left", async () => {
    await lab.inGuest(103, `systemctl stop impostor; ip address del ${at(20)}/32 dev lo`);
    await lab.configure("pools.worker.count", "2");
    await upOk();
    expect(await readyNodes()).toEqual(["k3s-master", "k3s-worker-01", "k3s-worker-02"]);
    expect(await traces("k3s-worker-03", 104)).toBe("");
  }, 400_000);

  /** Inside the guest, the server's address leads to an HTTPS server whose CA is another one. */
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
  it("is scaled away by the command that the stopped up names, and its node has left the cluster", async () => {
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

  it("comes back by a refresh, joined, although its MAC is a fixed one", async () => {
    const uid = (): Promise<string> => lab.kubectl("get", "node", "k3s-worker-02", "-o", "jsonpath={.metadata.uid}");
    const before = await uid();
    await destroyByHand(103);
    const output = await upOk("--refresh");
    for (const step of ["leave", "lxc", "host-key", "k3s", "ready"])
      expect(output).toMatch(new RegExp(`k3s-worker-02-${step} (replaced|created)`));
    expect(await readyNodes()).toEqual(["k3s-master", "k3s-worker-02"]);
    // The old node left, and this is another one.
    expect(await uid()).not.toBe(before);
    expect(await lab.host("pct config 103")).toContain(`hwaddr=${FIXED_MAC}`);
    await lab.pulumiOk("preview", "--expect-no-changes");
  }, 300_000);

  it("stops destroy with the command that ends it; so does a stranger's in its place, which is spared", async () => {
    await destroyByHand(103);
    const before = await makeStranger(103);
    // A refresh takes it for ours and would change it.
    expect(errorOf(await up("--refresh"), "k3s-worker-02-claim")).toContain('belongs to the guest "nas"');
    await destroyByHand(100);
    const run = await lab.pulumi("destroy", "--yes", "--skip-preview", "--continue-on-error");
    expect(run.stdout).toMatch(
      /guest 100 of k3s-master is already gone[^]*next: {2}run the same command again with --refresh/,
    );
    const error = errorOf(run, "k3s-worker-02-guard");
    expect(error).toContain('belongs to the guest "nas"');
    // As a person would: out of the message, into the shell.
    const command = /pulumi state delete [^,\n]*/.exec(error)?.[0] ?? "false";
    expect(await finish("sh", ["-c", command], lab.environment)).toMatchObject({ code: 0 });
    await lab.pulumiOk("destroy", "--yes", "--skip-preview", "--refresh");
    expect(await resources()).toEqual([]);
    expect(await stranger(103)).toBe(before);
  }, 300_000);
});
