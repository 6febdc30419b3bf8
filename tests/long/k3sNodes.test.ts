import { findLab } from "../../lab/lab";
import { machines } from "../reliability/machines";
import { expectRows } from "../reliability/strike";
import { eventually, finish, Lab, logOf } from "../support/lab";

/*
 * K3s from a folder on the Proxmox host, and what the scripts need from K3s once nodes run. With k3sStandIn.test.ts this is the
 * contract of the stand-in: K3S_BINARY runs both with a real K3s. The tests build on each other.
 */

const lab = new Lab("nodes");
const CLUSTER = "proxmox-k3s:cluster";
const FOLDER = "/root/release";
const SERVER = 100;
const AGENT = 102;
const NODE = "k3s-worker-01";
const DROP_IN = "/etc/rancher/k3s/config.yaml.d/50-test.yaml";

const up = (...args: string[]) => lab.pulumi("up", "--yes", "--skip-preview", ...args);
const inAgent = (command: string) => lab.inGuest(AGENT, command);

/** A shell function for a guest that waits for a condition, for at most a number of seconds. */
const until = (condition: string, seconds: number) =>
  `timeout ${seconds} sh -c 'until ${condition}; do sleep 0.2; done'\n`;
/** Waits until the agent's journal has a line `times` times since its last restart. */
const seen = (line: string, times = 1) =>
  until(
    `test "$(journalctl --after-cursor "$(cat /run/cursor)" -u k3s-agent -o cat | grep -c "${line}")" -ge ${times}`,
    60,
  );
/** Restarts the agent without waiting for it. */
const restarted =
  "journalctl -n 1 -o cat --show-cursor | sed -n 's/^-- cursor: //p' >/run/cursor\n" +
  "systemctl restart --no-block k3s-agent\n";
const active = until("systemctl is-active -q k3s-agent", 60);
const state = "systemctl show -p ActiveState -p Result -p NRestarts k3s-agent | sort";
/** What systemd reports of a join that waits: no failure, no new attempt. */
const waiting = "ActiveState=activating\nNRestarts=0\nResult=success\n";

const node = () => lab.kubectlJson<KubernetesNode>("get", "node", NODE);
const label = async (name: string) => (await node()).metadata.labels[`test.example/${name}`];
const taints = async () => ((await node()).spec.taints ?? []).map(({ key }) => key);
const configureAgent = (...lines: readonly string[]) =>
  inAgent(`mkdir -p $(dirname ${DROP_IN})\ncat >${DROP_IN} <<'END'\n${lines.join("\n")}\nEND\n${restarted}${active}`);

interface KubernetesNode {
  readonly metadata: { readonly uid: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly unschedulable?: boolean; readonly taints?: readonly { readonly key: string }[] };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}
const isReady = ({ status }: KubernetesNode) =>
  status.conditions.some((condition) => condition.type === "Ready" && condition.status === "True");

beforeAll(async () => {
  await lab.down();
  await lab.up();
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);

describe("K3s from a folder on the Proxmox host", () => {
  it("names the node, the file and the next step if the file is missing", async () => {
    await lab.configure("pools.worker.count", "1");
    await lab.pulumiOk("config", "rm", "--path", `${CLUSTER}.k3s.artifacts.baseUrl`);
    await lab.configure("k3s.artifacts.file", `${FOLDER}/k3s`);
    // Everything else exists, so the next test breaks the only step that is left.
    const failed = await up("--continue-on-error");
    expect(failed.code).not.toBe(0);
    expect(failed.stdout).toContain(`${FOLDER}/k3s does not exist on the Proxmox host`);
    expect(failed.stdout).toContain("copy it there, or set artifacts.baseUrl");
    expect(failed.stdout).toContain("k3s-master");
  }, 300_000);

  it("names a guest that stops before it has them", async () => {
    const { version } = findLab(lab.name)!.k3s;
    await lab.host(`mkdir ${FOLDER} && cp /srv/artifacts/k3s/${version}/k3s* ${FOLDER}/`);
    const step = `${NODE}-artifacts`;
    await lab.host(`rm -f ${logOf(step)}`);
    const death = lab.dieAtStep(step, `guest-${AGENT}`, AGENT);
    const run = await lab.pulumiResult("up", "--yes", "--skip-preview", "--continue-on-error");
    await death;
    expectRows([{ row: machines.fileless, node: NODE, vmid: AGENT }], run, lab.stack);
  }, 300_000);

  it("creates the cluster from the files there, and downloads nothing", async () => {
    const done = await up("--refresh");
    expect(done.stdout + done.stderr).toContain("Resources:");
    expect(done.code).toBe(0);
    const sums = await lab.host(`sha256sum <${FOLDER}/k3s; cat ${FOLDER}/k3s-airgap-images-amd64.tar | sha256sum`);
    for (const vmid of [SERVER, AGENT]) {
      const installed = "/usr/local/bin/k3s /var/lib/rancher/k3s/agent/images/k3s-airgap-images-amd64.tar";
      expect(await lab.inGuest(vmid, `for file in ${installed}; do sha256sum <$file; done`)).toBe(sums);
    }
    expect((await lab.kubectl("get", "nodes", "-o", "name")).trim().split("\n")).toEqual([
      "node/k3s-master",
      `node/${NODE}`,
    ]);
    await lab.pulumiOk("preview", "--expect-no-changes");
  }, 300_000);
});

describe("an agent that starts again", () => {
  it("overwrites manual values with its configuration's labels, and removes no label", async () => {
    await configureAgent("node-label+: [test.example/a=config]");
    await eventually(30, async () => (await label("a")) === "config");
    await lab.kubectl("label", "node", NODE, "test.example/a=manual", "--overwrite");
    await inAgent(restarted + active);
    await eventually(30, async () => (await label("a")) === "config");
    await configureAgent("node-label+: [test.example/b=config]");
    await eventually(30, async () => (await label("b")) === "config");
    expect(await label("a")).toBe("config");
  }, 120_000);

  it("ignores its configuration's taints once it is registered", async () => {
    await configureAgent("node-label+: [test.example/c=config]", "node-taint+: ['test.example/t=yes:NoSchedule']");
    await eventually(30, async () => (await label("c")) === "config");
    expect(await taints()).not.toContain("test.example/t");
  }, 60_000);

  it("waits for a server that is down, as activating, and continues when it is back", async () => {
    await lab.inGuest(SERVER, "systemctl stop k3s");
    await inAgent(restarted + seen("failed to get CA certs", 2));
    expect(await inAgent(state)).toEqual(waiting);
    await lab.inGuest(SERVER, "systemctl start k3s");
    await inAgent(active);
    await eventually(60, async () => isReady(await node()));
  }, 180_000);

  it("does not use its token while it has certificates; without them it is refused, as activating", async () => {
    const token = "/etc/rancher/k3s/token";
    await inAgent(`cp -p ${token} /root/token; sed -i 's/::node:.*/::node:wrong/' ${token}\n${restarted}${active}`);
    const certificates = "find /var/lib/rancher/k3s/agent -maxdepth 1 -type f -delete";
    await inAgent(`${certificates}\n${restarted}${seen("not authorized", 2)}`);
    expect(await inAgent(state)).toEqual(waiting);
    await inAgent(`cp -p /root/token ${token}\n${restarted}${active}`);
    await eventually(30, async () => isReady(await node()));
  }, 120_000);

  it("exits with an error if the kubelet does not accept its arguments", async () => {
    await inAgent(`echo 'kubelet-arg+: [no-such-flag=1]' >${DROP_IN}\n${restarted}${seen("kubelet exited")}`);
    await inAgent(`rm ${DROP_IN}\n${restarted}${active}`);
  }, 120_000);
});

describe("a drain", () => {
  const drain = (...args: string[]) => finish("kubectl", ["drain", NODE, ...args], lab.environment);
  const isCordoned = async () => (await node()).spec.unschedulable === true;

  it("that a disruption budget blocks ends at its timeout with 1, and leaves the node cordoned", async () => {
    await lab.kubectl("apply", "-f", "lab/demo/hello.yaml");
    await lab.kubectl("rollout", "status", "deployment/hello", "--timeout=60s");
    const blocked = await drain("--timeout=4s");
    expect(blocked.code).toBe(1);
    expect(blocked.stdout + blocked.stderr).toContain("it would violate the pod's disruption budget");
    expect(blocked.stdout + blocked.stderr).toContain("global timeout reached: 4s");
    expect(await isCordoned()).toBe(true);
    await lab.kubectl("uncordon", NODE);
  }, 120_000);

  it("that lacks a flag it needs ends at once with 1, and leaves the node cordoned too", async () => {
    await lab.kubectl("run", "alone", "--image=docker.io/library/lab-test:1", "--image-pull-policy=Never");
    await lab.kubectl("wait", "--for=condition=Ready", "pod/alone", "--timeout=60s");
    const refused = await drain("--timeout=60s");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("declare no controller (use --force to override): default/alone");
    expect(await isCordoned()).toBe(true);
    await lab.kubectl("uncordon", NODE);
  }, 120_000);
});

describe("a node that is deleted under a running agent", () => {
  const secret = ["-n", "kube-system", "get", "secret", `${NODE}.node-password.k3s`];

  it("loses its password too and stays away until the agent starts again; then its taints apply", async () => {
    const before = (await node()).metadata.uid;
    const { metadata } = await lab.kubectlJson<{ metadata: { ownerReferences: { kind: string; uid: string }[] } }>(
      ...secret,
    );
    expect(metadata.ownerReferences).toMatchObject([{ kind: "Node", uid: before }]);
    await inAgent(`echo "node-taint+: ['test.example/t=yes:NoSchedule']" >${DROP_IN}\n`);
    await lab.kubectl("delete", "node", NODE);
    await eventually(20, async () => (await lab.kubectl(...secret, "--ignore-not-found")) === "");
    const there = async () => (await lab.kubectl("get", "node", NODE, "--ignore-not-found", "-o", "name")) || undefined;
    await expect(eventually(8, there)).rejects.toThrow("not within 8 s");
    await inAgent(restarted + active);
    await eventually(60, async () => isReady(await node()));
    expect((await node()).metadata.uid).not.toBe(before);
    expect(await taints()).toContain("test.example/t");
    expect(await lab.kubectl(...secret, "-o", "name")).toBe(`secret/${NODE}.node-password.k3s\n`);
  }, 180_000);
});

describe("a version that does not start", () => {
  const VERSION = "v1.36.99+k3s1";
  const BROKEN = "/root/broken";
  const sum = (file: string) => lab.host(`sha256sum <${file} | cut -d' ' -f1`).then((text) => text.trim());

  it("is replaced by the former one on the node, so K3s runs and the former version in the config is no change", async () => {
    const { version } = findLab(lab.name)!.k3s;
    const former = await sum(`${FOLDER}/k3s`);
    const script = `case $1 in --version) echo "k3s version ${VERSION} (broken)" ;; *) echo 'level=fatal msg="broken"' >&2; exit 1 ;; esac`;
    await lab.hostWithInput(
      `mkdir -p ${BROKEN} && cp ${FOLDER}/*.tar ${BROKEN}/ && cat >${BROKEN}/k3s`,
      `#!/bin/sh\n${script}\n`,
    );
    await lab.configure("version", VERSION);
    await lab.configure("k3s.artifacts.file", `${BROKEN}/k3s`);
    await lab.configure("k3s.artifacts.sha256.amd64", await sum(`${BROKEN}/k3s`));
    const failed = await up();
    expect(failed.code).not.toBe(0);
    expect(failed.stdout).toMatch(/k3s on k3s-master: [^\n]*broken[^\n]*; it starts again with the version it had/);
    expect(failed.stdout).toContain("set that version in the config again");

    await lab.configure("version", version);
    await lab.configure("k3s.artifacts.file", `${FOLDER}/k3s`);
    await lab.configure("k3s.artifacts.sha256.amd64", former);
    const done = await lab.pulumiResult("up", "--yes", "--skip-preview");
    expect([done.code, Object.keys(done.changes).filter((name) => name.endsWith("-k3s"))]).toEqual([0, []]);
    await eventually(60, async () => (await lab.kubectl("get", "--raw", "/readyz")) === "ok");
    for (const vmid of [SERVER, AGENT])
      expect(await lab.inGuest(vmid, "sha256sum </usr/local/bin/k3s; ls /usr/local/bin | grep former || true")).toBe(
        `${former}  -\n`,
      );
  }, 300_000);
});

describe("an option that K3s does not accept", () => {
  /** The state of a failed update keeps the former inputs: once the option is removed, the node must match them. */
  async function isRefused(option: string, value: string, words: string): Promise<void> {
    await lab.configure(`k3s.${option}`, value);
    const failed = await up();
    expect(failed.code).not.toBe(0);
    expect(failed.stdout).toMatch(new RegExp(`${words}[^\\n]*; it starts again with the configuration it had`));
    await lab.pulumiOk("config", "rm", "--path", `${CLUSTER}.k3s.${option.split(".")[0]}`);
    await lab.pulumiOk("up", "--yes", "--skip-preview", "--expect-no-changes");
  }

  it("on an agent, which exits: up names it, and the agent runs again without it", async () => {
    await isRefused("agentConfig.kubelet-arg[0]", "no-such-flag=1", "unknown flag: --no-such-flag");
    await inAgent(active);
    await eventually(60, async () => isReady(await node()));
  }, 180_000);

  // The config refuses an option that no K3s has; a release that is older than the option behaves as in this test.
  it("on a server, which would start and ignore it: the same", async () => {
    await lab.inGuest(SERVER, `mkdir -p $(dirname ${DROP_IN})\necho 'secrets-encryptoin: true' >${DROP_IN}\n`);
    await isRefused("serverConfig.service-node-port-range", "30000-32000", "does not know --secrets-encryptoin");
    await lab.inGuest(SERVER, `rm ${DROP_IN}`);
    await eventually(60, async () => (await lab.kubectl("get", "--raw", "/readyz")) === "ok");
    expect(await lab.inGuest(SERVER, "cat /etc/rancher/k3s/config.yaml")).not.toContain("service-node-port-range");
  }, 180_000);
});
