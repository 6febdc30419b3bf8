import * as fs from "node:fs";
import { Homelab } from "../support/homelab";
import type { PulumiResult } from "../support/pulumiResult";
import { leaksIn, privateKey, type Secret, secretsIn } from "../support/secretScan";

/*
 * Whether the engine shows one of a stack's seven secrets in any of its outputs: on the screen, as JSON, as events, in logs. The
 * tests build on each other: one cluster from its first preview to its end.
 */

jest.setTimeout(600_000);

const PASSWORD = "dG8gYmUgcmVhZCBieSBub2JvZHkgYXQgYWxs";
const AUTH = JSON.stringify({ auths: { "registry.lan:5000": { username: "reader", password: PASSWORD } } });

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
  lab.edit((cluster) => {
    cluster.pools.worker.count = 1;
    cluster.k3s.registries = { configs: { "registry.lan:5000": { auth: true } } };
  });
  fs.writeFileSync(lab.scratch("auth.json"), AUTH);
  lab.env["PROXMOX_K3S_REGISTRY_AUTH_FILE"] = lab.scratch("auth.json");
});
afterAll(() => lab?.dispose());

/** All output, by the command that printed it. */
const outputs = new Map<string, string>();

async function run(wants: "success" | "failure", command: string, ...args: string[]): Promise<PulumiResult> {
  const result = await lab.pulumi(command, ...args);
  expect([[command, ...args].join(" "), result.code === 0 ? "success" : "failure"]).toEqual([
    [command, ...args].join(" "),
    wants,
  ]);
  for (const [name, text] of Object.entries({ stdout: result.stdout, stderr: result.stderr, events: result.events }))
    outputs.set(`${outputs.size}: ${name} of ${[command, ...args].join(" ")}`, text);
  return result;
}

const preview = (...args: string[]) => run("success", "preview", ...args);
const up = (...args: string[]) => run("success", "up", "--yes", "--skip-preview", ...args);
const output = async (name: string): Promise<string> =>
  (await lab.pulumi("stack", "output", name, "--show-secrets")).stdout.trim();
const passwordOf = (k10: string): string => k10.slice(k10.lastIndexOf(":") + 1);

let secrets: readonly Secret[];
async function readSecrets(): Promise<readonly Secret[]> {
  const clientKey = /client-key-data: (\S+?)\}*$/m.exec(await output("kubeconfig"))?.[1] ?? "";
  return [
    { name: "API token", value: lab.keys.apiToken },
    privateKey("host's key", lab.keys.host.private),
    privateKey("nodes' key", lab.keys.node.private),
    { name: "server token", value: passwordOf(await output("token")) },
    { name: "agents' token", value: passwordOf(await output("agentToken")) },
    privateKey("kubeconfig's key", Buffer.from(clientKey, "base64").toString()),
    { name: "registry's password", value: PASSWORD },
  ];
}

const found = (): string[] =>
  [...outputs].flatMap(([where, text]) =>
    leaksIn(text, secrets).map(({ secrets, head }) => `${secrets.join(", ")} in ${where}: ${head}`),
  );

describe("credentials from the environment", () => {
  it("creates, changes and fails with every output of the engine", async () => {
    await preview("--json", "--debug");
    await preview("--diff", "--logtostderr", "-v=11");
    await run("success", "up", "--yes", "--json", "--debug");
    secrets = await readSecrets();
    expect((await output("kubeconfig")).length).toBeGreaterThan(500);

    lab.edit((cluster) => {
      cluster.pools.worker.count = 2;
      cluster.pools.worker.labels = { tier: "web" };
    });
    lab.host.failAt("k3s-worker-02-k3s create", "no such luck");
    await run("failure", "up", "--yes", "--debug", "--diff");
    lab.host.clearFailures();
    await up("--json");
  });

  it("contains none of the seven secrets", () => expect(found()).toEqual([]));
});

describe("credentials from the stack's secret config", () => {
  it("refreshes, changes and fails with every output of the engine", async () => {
    outputs.clear();
    const set = (key: string, value: string) => lab.pulumi("config", "set", "--secret", key, "--", value);
    await set("proxmoxApiToken", lab.env["PROXMOX_VE_API_TOKEN"]!);
    await set("hostPrivateKey", lab.keys.host.private);
    await set("nodePrivateKey", lab.keys.node.private);
    await set("registryAuth", AUTH);
    delete lab.env["PROXMOX_K3S_REGISTRY_AUTH_FILE"];
    lab.takeCredentials();

    await preview("--json", "--debug", "--show-sames");
    await up("--logtostderr", "-v=8", "--logflow");
    await run("success", "refresh", "--yes", "--json", "--debug", "--diff", "--logtostderr", "-v=11");
    lab.edit((cluster) => (cluster.pools.worker.labels = { tier: "db" }));
    lab.host.failAt("homelab-kubeconfig update", "no such luck");
    lab.host.failAt("k3s-worker-01-ready update", "no such luck");
    await run("failure", "up", "--yes", "--json", "--debug", "--logtostderr", "-v=11");
    lab.host.clearFailures();
  });

  it("runs through the Automation API, which passes every event on", async () => {
    for (const command of ["preview", "up"] as const) {
      const { code, stdout, stderr } = await lab.automation(command, true);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain('"resourcePreEvent"');
      outputs.set(`the Automation API's ${command}`, stdout);
    }
  });

  it("contains none of the seven secrets", () => {
    outputs.set("the files in the CLI's home", lab.ownLogs());
    expect(found()).toEqual([]);
  });

  it("would find a planted secret", () => {
    const [, text] = [...outputs].find(([where]) => where.includes("events of up"))!;
    const planted = `${text}\n{"message":"${lab.keys.apiToken.slice(10, 24)}"}`;
    expect(leaksIn(text, secrets)).toEqual([]);
    expect(leaksIn(planted, secrets)).toMatchObject([{ secrets: ["API token"] }]);
  });
});

/* No program can keep secrets out of Pulumi's own logs of what passes through it; SECURITY.md names these switches. */
describe("Pulumi's own logs", () => {
  const ALL = () => secrets.map(({ name }) => name).sort();

  it("with --logflow and -v=9 or more: the secrets that reach a plugin, in the log and in the events", async () => {
    const { stderr, stdout, events } = await preview("--logtostderr", "-v=9", "--logflow");
    const handedOn = ALL().filter((name) => name !== "API token");
    expect(secretsIn(stderr, secrets).sort()).toEqual(handedOn);
    expect(secretsIn(events, secrets).sort()).toEqual(handedOn);
    expect(leaksIn(stdout, secrets)).toEqual([]);
  });

  it.each([
    { what: "--tracing", args: () => ["--tracing", `file:${lab.scratch("trace")}`], env: {} },
    { what: "PULUMI_DEBUG_GRPC", args: () => [], env: { PULUMI_DEBUG_GRPC: "trace" } },
  ])("with $what: all secrets, in that file and nowhere else", async ({ args, env }) => {
    for (const [name, file] of Object.entries(env)) lab.env[name] = lab.scratch(file);
    const { stderr, stdout, events } = await preview(...args());
    for (const name of Object.keys(env)) delete lab.env[name];
    expect(secretsIn(fs.readFileSync(lab.scratch("trace"), "latin1"), secrets).sort()).toEqual(ALL());
    fs.rmSync(lab.scratch("trace"));
    expect([stdout, stderr, events].flatMap((text) => leaksIn(text, secrets))).toEqual([]);
  });
});

describe("the end", () => {
  it("destroys with every output of the engine", async () => {
    outputs.clear();
    await run("success", "destroy", "--yes", "--json", "--debug", "--logtostderr", "-v=11");
  });

  it("contains none of the seven secrets", () => expect(found()).toEqual([]));
});
