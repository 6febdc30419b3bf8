import { createHash, generateKeyPairSync } from "node:crypto";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { ensureK3s } from "../../lab/k3s/artifacts";
import { K3sProcess, K3sSandbox } from "./k3sStandInSandbox";

/*
 * The behaviour of K3s on which the program relies, with the log lines of K3s v1.36.3. K3S_BINARY runs the tests with a real
 * K3s. Everything here ends before the first container; the lab's other tests have nodes with containers.
 */

const server = 10;
const agent = 11;
const address = "198.18.210.10";
const serverPassword = "server-password-of-this-test";
const agentPassword = "agent-password-of-this-test";
const data = "var/lib/rancher/k3s";
let sandbox: K3sSandbox;
let started: K3sProcess;

beforeAll(async () => {
  const given = process.env["K3S_BINARY"];
  const artifacts = await ensureK3s(given ? { path: given } : {}, (line) => console.log(line));
  sandbox = new K3sSandbox(path.join(artifacts.dir, artifacts.version, "k3s"));
  sandbox.addMachine(server);
  sandbox.addMachine(agent);
  sandbox.write(server, "etc/rancher/k3s/token", `${serverPassword}\n`);
  sandbox.write(server, "etc/rancher/k3s/agent-token", `${agentPassword}\n`);
  sandbox.write(
    server,
    "etc/rancher/k3s/config.yaml",
    [
      "token-file: /etc/rancher/k3s/token",
      "agent-token-file: /etc/rancher/k3s/agent-token",
      "node-name: server",
      "disable-agent: true",
      "disable: [traefik, servicelb, metrics-server, coredns, local-storage]",
      "write-kubeconfig-mode: '0600'",
      `tls-san: [${address}]`,
      "no-such-key: 1",
    ].join("\n"),
  );
  started = sandbox.start(server, ["server"]);
  await until(() => kubectl("get", "--raw=/readyz").code === 0, 120);
  await until(() => kubectl("get", "namespace", "kube-system").code === 0, 30);
}, 30 * 60_000);

afterAll(() => sandbox?.close());

const kubectl = (...args: string[]) => sandbox.run(server, ["kubectl", ...args]);
const kubeconfig = () => path.join(sandbox.files(server), "etc/rancher/k3s/k3s.yaml");
const agentToken = () => sandbox.read(server, `${data}/server/agent-token`);

async function until(met: () => boolean, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!met()) {
    if (Date.now() > deadline) throw new Error(`not met within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

describe("a server's files", () => {
  test("tokens have the K10 form over the CA's hash, mode 0600, and node-token is a link", () => {
    const ca = fs.readFileSync(path.join(sandbox.files(server), data, "server/tls/server-ca.crt"));
    const hash = createHash("sha256").update(ca).digest("hex");
    expect(sandbox.read(server, `${data}/server/token`)).toBe(`K10${hash}::server:${serverPassword}`);
    expect(agentToken()).toBe(`K10${hash}::node:${agentPassword}`);
    const folder = path.join(sandbox.files(server), data, "server");
    expect(fs.readlinkSync(path.join(folder, "node-token"))).toMatch(/(^|\/)token$/);
    for (const name of ["token", "agent-token"]) expect(fs.statSync(path.join(folder, name)).mode & 0o777).toBe(0o600);
  });

  test("the kubeconfig is for this machine, with the configured mode", () => {
    expect(fs.statSync(kubeconfig()).mode & 0o777).toBe(0o600);
    expect(fs.readFileSync(kubeconfig(), "utf8")).toContain("server: https://127.0.0.1:6443");
  });

  test("its version is the expected one", () => {
    expect(sandbox.run(server, ["--version"]).output).toMatch(
      /^k3s version v\d+\.\d+\.\d+\+k3s\d+ \(.+\)\ngo version go\d/,
    );
  });

  test("an etcd snapshot on a server without etcd is refused", () => {
    const saved = sandbox.run(server, ["etcd-snapshot", "save"]);
    expect(saved.code).not.toBe(0);
    expect(saved.output).toContain("etcd datastore disabled");
  });
});

test("a server ignores an unknown key with a warning; an agent ends, see below", () => {
  expect(started.output()).toMatch(/level=warning msg="Unknown flag --no-such-key found in config.yaml, skipping/);
});

/** Sends a request to the supervisor with curl. @returns status and body */
function ask(pathname: string, ...args: string[]): { status: number; body: string } {
  const answer = sandbox.shell(
    `curl -sk -w '\\n%{http_code}' ${args.map(quote).join(" ")} https://${address}:6443${pathname}`,
  );
  const lines = answer.split("\n");
  return { status: Number(lines.pop()), body: lines.join("\n") };
}
const quote = (text: string) => `'${text.replace(/'/g, `'\\''`)}'`;

describe("the supervisor", () => {
  test("tells a caller without credentials only that it runs and which CA it has", () => {
    expect(ask("/ping")).toEqual({ status: 200, body: "pong" });
    expect(`${ask("/cacerts").body.trim()}\n`).toBe(`${sandbox.read(server, `${data}/server/tls/server-ca.crt`)}\n`);
    expect(ask("/readyz").status).toBe(401);
    expect(ask("/v1-k3s/config").status).toBe(403);
  });

  test("accepts the agent token for an agent's requests and the server token for a server's, and not the other way round", () => {
    expect(ask("/v1-k3s/config", "-u", `node:${agentPassword}`).status).toBe(200);
    expect(ask("/v1-k3s/config", "-u", `node:${serverPassword}`)).toMatchObject({ status: 401 });
    expect(ask("/v1-k3s/config", "-u", `node:${serverPassword}`).body).toContain("not authorized");
    expect(ask("/v1-k3s/server-bootstrap", "-u", `node:${agentPassword}`).status).toBe(403);
  });

  test("does not trust a header about the caller", () => {
    const forged = ask("/api/v1/nodes", "-H", "X-Remote-User: system:admin", "-H", "X-Remote-Group: system:masters");
    expect(forged.status).toBe(401);
  });

  test("stores a node's password, and refuses another machine of that name until the password is deleted", async () => {
    const request = certificateRequest();
    const asNode = (password: string) =>
      ask(
        "/v1-k3s/client-kubelet.crt",
        ...["-u", `node:${agentPassword}`, "-H", "k3s-Node-Name: twin", "-H", `k3s-Node-Password: ${password}`],
        ...["-H", "Content-Type: application/octet-stream", "--data-binary", `@${request}`],
      );
    await until(() => asNode("first").status === 200, 30);
    expect(asNode("first").body).toContain("BEGIN CERTIFICATE");
    expect(asNode("second").status).toBe(403);
    const secret = ["secret", "twin.node-password.k3s", "--namespace=kube-system"];
    const found = kubectl("get", ...secret, "-o", "jsonpath={.type} {.immutable}");
    expect(found.output).toBe("k3s.cattle.io/node-password true");
    // It has no owner, so Kubernetes never deletes it: it refuses the name until somebody deletes it.
    expect(kubectl("delete", ...secret).code).toBe(0);
    await until(() => asNode("second").status === 200, 30);
    expect(asNode("first").status).toBe(403);
  });
});

/** A certificate request as a DER file. */
function certificateRequest(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = path.join(sandbox.files(agent), "request.key");
  fs.mkdirSync(path.dirname(key), { recursive: true });
  fs.writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const file = path.join(sandbox.files(agent), "request.der");
  execFileSync("openssl", ["req", "-new", "-key", key, "-subj", "/CN=ignored", "-outform", "DER", "-out", file]);
  return file;
}

interface Refusal {
  name: string;
  /** Content of the token file; undefined for no file. */
  token: () => string | undefined;
  /** Additional lines of config.yaml. */
  config?: string;
  server?: string;
  /** Expected line of the log, and how often it must appear. */
  line: RegExp;
  times: number;
  /** Expected exit code; undefined if K3s must run on. */
  exit?: number;
}

const wrongHash = "a".repeat(64);
const refusals: readonly Refusal[] = [
  {
    name: "wrong token",
    token: () => agentToken().replace(agentPassword, "not-the-password"),
    line: /level=info .*failed to retrieve configuration from server: not authorized/,
    times: 2,
  },
  {
    name: "the server's token on an agent",
    token: () => sandbox.read(server, `${data}/server/token`),
    line: /level=info .*failed to retrieve configuration from server: not authorized/,
    times: 1,
  },
  {
    name: "wrong CA hash",
    token: () => `K10${wrongHash}::node:${agentPassword}`,
    line: new RegExp(`token CA hash does not match the Cluster CA certificate hash: ${wrongHash} != [0-9a-f]{64}`),
    times: 2,
  },
  { name: "malformed token", token: () => "K10abc::node:x", line: /invalid token CA hash length/, times: 2 },
  { name: "token file missing", token: () => undefined, line: /Waiting for file .*token.* to be created/, times: 2 },
  {
    name: "no server at the address",
    token: agentToken,
    server: `https://${address}:6449`,
    line: /failed to get CA certs: Get .*https:\/\/127\.0\.0\.1:6444\/cacerts/,
    times: 2,
  },
  {
    name: "no machine at the address",
    token: agentToken,
    server: "https://198.18.210.99:6443",
    line: /failed to get CA certs: Get .*https:\/\/127\.0\.0\.1:6444\/cacerts/,
    times: 1,
  },
  {
    name: "the name of another machine",
    token: agentToken,
    config: "node-name: twin",
    line: /level=info .*Node password rejected, duplicate hostname or contents of/,
    times: 2,
  },
  {
    name: "unknown key",
    token: agentToken,
    config: "no-such-key: 1",
    line: /level=fatal msg="Error: flag provided but not defined: -no-such-key"/,
    times: 1,
    exit: 1,
  },
  {
    name: "a key only for servers",
    token: agentToken,
    config: "cluster-cidr: 10.0.0.0/8",
    line: /level=fatal .*not defined: -cluster-cidr/,
    times: 1,
    exit: 1,
  },
  { name: "bad YAML", token: agentToken, config: "a: b: c", line: /level=fatal msg="yaml: /, times: 1, exit: 1 },
];

describe("an agent that is refused", () => {
  let process: K3sProcess;
  afterEach(() => {
    sandbox.stop(agent);
    sandbox.empty(agent);
  });

  test.each(refusals)(
    "$name",
    async ({ token, config, server: url, line, times, exit }) => {
      const name = config?.startsWith("node-name") ? [] : ["node-name: joining"];
      const lines = [
        `server: ${url ?? `https://${address}:6443`}`,
        "token-file: /etc/rancher/k3s/token",
        ...name,
        config ?? "",
      ];
      sandbox.write(agent, "etc/rancher/k3s/config.yaml", lines.join("\n"));
      const text = token();
      if (text !== undefined) sandbox.write(agent, "etc/rancher/k3s/token", `${text}\n`);
      process = sandbox.start(agent, ["agent"]);
      const seen = () => process.output().match(new RegExp(line, "g"))?.length ?? 0;
      await until(() => seen() >= times || process.exitCode() !== undefined, 40);
      expect(process.output()).toMatch(line);
      if (exit === undefined) {
        expect(process.exitCode()).toBeUndefined();
      } else {
        await until(() => process.exitCode() !== undefined, 10);
        expect(process.exitCode()).toBe(exit);
      }
    },
    60_000,
  );
});

test("drop-ins are read after the config file in the order of their names, and the last value wins", async () => {
  sandbox.write(agent, "etc/rancher/k3s/config.yaml", "server: https://198.18.210.1:1\ntoken: K10abc::node:x\n");
  sandbox.write(agent, "etc/rancher/k3s/config.yaml.d/20.yaml", "server: https://198.18.210.1:3\nnode-label+: [b=2]\n");
  sandbox.write(agent, "etc/rancher/k3s/config.yaml.d/10.yaml", "server: https://198.18.210.1:2\nnode-label: [a=1]\n");
  const joining = sandbox.start(agent, ["agent"]);
  await until(() => joining.output().includes("invalid token CA hash length"), 30);
  expect(joining.output()).toContain("Failed to validate connection to cluster at https://198.18.210.1:3:");
  sandbox.stop(agent);
}, 60_000);

test("a server that restarts with another token logs that and ends", async () => {
  sandbox.stop(server);
  sandbox.write(server, "etc/rancher/k3s/token", "another-password-altogether\n");
  const started = sandbox.start(server, ["server"]);
  await until(() => started.exitCode() !== undefined, 60);
  expect(started.output()).toMatch(/level=fatal .*bootstrap data already found and encrypted with different token/);
}, 90_000);
