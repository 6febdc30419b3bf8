import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { findLab, labNetwork } from "../../lab/lab";
import { renderCommand, renderStdin } from "../../remote/script";
import { eventually, type Finished, finish, Lab } from "../support/lab";

/*
 * The whole program through the gate, with a real sshd: the program's key may do what the gate lists and nothing else. And a foreign
 * guest or node that imitates one of ours (a guest with our mark, a node with its kubelet's credentials) gets nothing.
 * One lab; the tests build on each other, the first failure is the one to read.
 */

const lab = new Lab("gate");
const WORKERS = "proxmox-k3s:cluster.pools.worker.count";
const GATE = "/usr/local/sbin/proxmox-k3s-gate";
const MASTER = 100;
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "gate-test-"));
/** The program's key, which is limited to the gate; the lab's own key is the administrator's. */
const key = path.join(scratch, "program");
const bin = (name: string): string => path.join(__dirname, "../../node_modules/.bin", name);

let host: string;
const env = (): NodeJS.ProcessEnv => ({ ...lab.environment, PROXMOX_K3S_HOST_SSH_KEY_FILE: key });
const pulumi = (...args: string[]): Promise<Finished> => finish("pulumi", [...args, "--non-interactive"], env());
const up = (): Promise<Finished> => pulumi("up", "--yes", "--skip-preview");
async function well(run: Promise<Finished>): Promise<Finished> {
  const result = await run;
  expect(result.code === 0 ? "" : result.stdout + result.stderr).toBe("");
  return result;
}
const setWorkers = (count: number): Promise<Finished> =>
  well(pulumi("config", "set", "--path", WORKERS, String(count)));
const installGate = (): Promise<Finished> => {
  const args = ["cli/main.ts", "gate", "--install", `root@${host}`, "--key", key, "--ssh", lab.ssh().join(" ")];
  return finish(bin("tsx"), args, env());
};
/** A session with the program's key, as if it was stolen. */
const asThief = (command: string, input = ""): Promise<Finished> => {
  const [ssh, ...options] = lab.ssh(key);
  return finish(ssh, [...options, `root@${host}`, command], process.env, input);
};
/** Guests, records and keys of the host. */
const hostFiles = (): Promise<string> =>
  lab.host("find /etc/pve /var/lib/proxmox-k3s /root/.ssh /etc/cron.d -type f | sort | xargs sha256sum");
const nodes = async (): Promise<string[]> =>
  (await lab.kubectl("get", "nodes", "-o", "name")).trim().split("\n").sort();

beforeAll(async () => {
  await lab.down();
  await lab.up();
  host = labNetwork(findLab(lab.name)!.subnet).host;
  await finish("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key], process.env);
}, 40 * 60_000);
afterAll(async () => {
  fs.rmSync(scratch, { recursive: true });
  await lab.down();
}, 120_000);
jest.setTimeout(600_000);

describe("a host with the gate", () => {
  it("gets it by one command, which tests it; a second run changes nothing", async () => {
    const first = await well(installGate());
    expect(first.stdout).toContain(`${GATE} was installed`);
    expect(first.stdout).toContain("runs this program's scripts");
    const before = await lab.host(`sha256sum ${GATE} /root/.ssh/authorized_keys`);
    expect((await well(installGate())).stdout).toContain(`${GATE} is up to date`);
    expect(await lab.host(`sha256sum ${GATE} /root/.ssh/authorized_keys`)).toBe(before);
  });

  it("allows to create, change and check a whole cluster", async () => {
    // Later tests let K3s wait for a server that never answers; this limits the wait.
    await well(pulumi("config", "set", "--path", "proxmox-k3s:cluster.k3s.startTimeout", "90s"));
    await setWorkers(1);
    await well(up());
    await setWorkers(2);
    await well(up());
    expect(await nodes()).toEqual(["node/k3s-master", "node/k3s-worker-01", "node/k3s-worker-02"]);
    expect((await well(up())).stdout).toMatch(/Resources:\s+\d+ unchanged/);
  });

  it("gives a stolen key no shell, and no access to the host's files", async () => {
    const before = await hostFiles();
    const honest = renderCommand({
      ...{ task: "claim", action: "create", step: "a-claim", title: "t", lock: "l", boundSeconds: 30 },
      args: { VMID: 109, NAME: "evil", CREATION: "" },
    });
    const mark = "export MARK='proxmox-k3s a/b/c 0123456789abcdef'\n";
    const stdin = mark + renderStdin("claim");
    const attempts: [string, string][] = [
      ["id", ""],
      [honest.replace("'109'", "'../../../../root/.ssh/authorized_keys2'"), stdin],
      [honest.replace("CREATION=''", "CREATION='ssh-ed25519 AAAA'"), stdin],
      [honest.replace("'a-claim'", "'../../../etc/cron.d/x'"), stdin],
      [honest.replace("exec sh -s", "export PERL5OPT='-Mbase;system(q(id>/run/p))'\nexec sh -s"), stdin],
      [honest, stdin.replace("a/b/c", ".*|")],
      [honest, `${stdin}touch /run/pwned\n`],
    ];
    for (const [command, input] of attempts) {
      const run = await asThief(command, input);
      expect([run.code, run.stdout, run.stderr]).toEqual([1, "", expect.stringContaining("error: proxmox-k3s-gate: ")]);
    }
    expect(await hostFiles()).toBe(before);
    expect(await lab.host("ls /run | grep -E '^(p|pwned)$' || echo none")).toBe("none\n");
  });

  it("runs nothing of an incomplete script, and does not report success", async () => {
    const command = renderCommand({
      ...{ task: "gate-check", action: "look", step: "a-check", title: "t", lock: "l", boundSeconds: 30 },
      args: { NONCE: "0123456789abcdef" },
    });
    expect((await asThief(command, "set -eu\n")).code).toBe(1);
  });
});

describe.each([
  ["emptied", `: >${GATE}`],
  ["replaced by true", `printf '#!/bin/sh\\ntrue\\n' >${GATE}`],
  ["cut in half", `head -c $(($(wc -c <${GATE}) / 2)) ${GATE} >/run/half && cat /run/half >${GATE}`],
  ["generated by another version", `sed -i 's/^script [0-9a-f]*/script ${"0".repeat(64)}/' ${GATE}`],
])("a gate that was %s", (_, damage) => {
  let machines: string;
  beforeAll(async () => {
    machines = await lab.host("ls /etc/pve/lxc; pct list");
    await lab.host(damage);
  });
  afterAll(async () => {
    await well(installGate());
    await setWorkers(2);
  });

  it("stops up, scale down, destroy, doctor and recover with the cause; all machines and all nodes stay", async () => {
    const cause = /proxmox-k3s-gate|forced command/;
    await setWorkers(1);
    const runs = {
      "scale down": await up(),
      destroy: await pulumi("destroy", "--yes", "--skip-preview"),
      doctor: await finish(bin("tsx"), ["cli/main.ts", "doctor"], env()),
      recover: await finish(bin("tsx"), ["cli/main.ts", "recover", "--yes"], env()),
    };
    for (const [command, { code, stdout, stderr }] of Object.entries(runs)) {
      expect([command, code]).toEqual([command, 1]);
      expect([command, stdout + stderr]).toEqual([command, expect.stringMatching(cause)]);
    }
    await setWorkers(3);
    expect((await up()).code).not.toBe(0);
    expect(await lab.host("ls /etc/pve/lxc; pct list")).toBe(machines);
    expect(await nodes()).toHaveLength(3);
  });
});

describe("with the right gate again", () => {
  it("the same commands succeed", async () => {
    await well(up());
    expect((await well(up())).stdout).toMatch(/Resources:\s+\d+ unchanged/);
    const { code, stdout } = await finish(bin("tsx"), ["cli/main.ts", "doctor"], env());
    expect(code === 0 ? "" : stdout).toBe("");
    await setWorkers(1);
    await well(up());
    expect(await nodes()).toEqual(["node/k3s-master", "node/k3s-worker-01"]);
  });
});

describe("a node with its kubelet's credentials", () => {
  const kubelet = "k3s kubectl --kubeconfig=/var/lib/rancher/k3s/agent/kubelet.kubeconfig";
  const node = "k3s-worker-01";

  it("cannot change the program's kubectl commands by what it writes on its own Node", async () => {
    await lab.kubectl("taint", "node", node, "secure=yes:NoExecute");
    await lab.kubectl("label", "node", node, "node-restriction.kubernetes.io/zone=trusted");
    const notes = [
      "proxmox-k3s/taints=secure=yes:NoExecute",
      "proxmox-k3s/labels=node-restriction.kubernetes.io/zone=trusted",
      "proxmox-k3s/leaving=true",
    ];
    await lab.hostWithInput(`pct exec 102 -- sh -e`, `${kubelet} annotate node ${node} ${notes.join(" ")}`);
    await lab.kubectl("cordon", node);
    await well(pulumi("config", "set", "--path", "proxmox-k3s:cluster.pools.worker.labels.tier", "web"));
    await well(up());
    const { spec, metadata } = await lab.kubectlJson<{
      spec: { taints: { key: string }[]; unschedulable?: boolean };
      metadata: { labels: Record<string, string> };
    }>("get", "node", node);
    expect(metadata.labels).toMatchObject({ tier: "web", "node-restriction.kubernetes.io/zone": "trusted" });
    expect(spec.taints.map(({ key: taint }) => taint)).toContain("secure");
    expect(spec.unschedulable).toBe(true);
  });
});

describe("a foreign guest with our mark, our name and our server's VMID", () => {
  /** Every command and input that a K3s in the guest got. */
  const received = "/root/received";

  it("gets no command and no data", async () => {
    const conf = await lab.host(`cat /etc/pve/lxc/${MASTER}.conf`);
    const description = /^#(.*)$/m.exec(conf)![1]!;
    await lab.host(`pct stop ${MASTER}; pct destroy ${MASTER} --force 1`);
    const template = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";
    const net = `name=eth0,bridge=vmbr0,ip=${labNetwork(findLab(lab.name)!.subnet).prefix}.20/24`;
    await lab.host(
      `pct create ${MASTER} ${template} --hostname k3s-master --unprivileged 0 --rootfs local-lvm:4 --net0 ${net} --description '${description}' --start 1`,
    );
    await eventually(60, async () => (await lab.host(`pct exec ${MASTER} -- systemctl is-active dbus || :`)) !== "");
    const k3s = `#!/bin/sh\\necho \\"\\$0 \\$*\\" >>${received}\\ncat >>${received}\\necho True`;
    await lab.hostWithInput(
      `pct exec ${MASTER} -- sh -e`,
      `printf "${k3s}\\n" >/usr/local/bin/k3s; chmod 755 /usr/local/bin/k3s; mkdir -p /etc/rancher/k3s; echo '#' >/etc/rancher/k3s/k3s.yaml; find / -xdev -newer /usr/local/bin/k3s -type f >/dev/null; touch /root/since`,
    );
    expect(await lab.host(`grep -cF '${description}' /etc/pve/lxc/${MASTER}.conf`)).toBe("1\n");
    for (const change of ["3", "0"]) {
      await setWorkers(Number(change));
      const run = await up();
      expect([change, run.code === 0]).toEqual([change, false]);
      expect(run.stdout + run.stderr).toMatch(/k3s-master|no server of the cluster answered/);
    }
    expect(await lab.hostWithInput(`pct exec ${MASTER} -- sh`, `cat ${received} 2>/dev/null || echo nothing`)).toBe(
      "nothing\n",
    );
    const written = `find /etc /root /var/lib -xdev -newer /root/since -type f ! -path '*/systemd/*' ! -name since ! -path '*/dbus/*' ! -name 'ld.so*'`;
    expect(await lab.hostWithInput(`pct exec ${MASTER} -- sh`, written)).toBe("");
    // The worker was not drained through that guest, and still runs.
    expect(await lab.host("pct status 102")).toBe("status: running\n");
  });
});
