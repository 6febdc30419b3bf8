import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { parse, stringify } from "yaml";
import { addonsStackFile } from "../addonsStack";
import { labEnv } from "../commands/env";
import { GitServer, type GitWorkTree } from "../git/gitServer";
import { run } from "../host/run";
import { addonsDir, type Lab, labNetwork } from "../lab";
import { pushChartDouble, registryOf } from "../registry/fill";
import { askIngress } from "../support/askIngress";
import type { Log } from "../support/cache";
import { encryptSecret } from "../support/sops";
import { demoNamespaces, type DemoNamespace, firstFiles, INGRESS_HOST, motd, plainSecret, SECRET } from "./repository";

/** The parts of `npm run demo -- --addons` that follow the cluster. Each throws if something is not as it should be. */
export class AddonsDemo {
  private readonly env: NodeJS.ProcessEnv;
  private readonly password = randomBytes(12).toString("hex");

  private constructor(
    private readonly lab: Lab,
    private readonly log: Log,
    private readonly server: GitServer,
    private readonly repository: GitWorkTree,
  ) {
    this.env = labEnv(lab);
  }

  /** Starts a Git server with a repository; {@link close} ends it. */
  static async start(lab: Lab, log: Log): Promise<AddonsDemo> {
    const server = await GitServer.start(labNetwork(lab.subnet).machine);
    return new AddonsDemo(lab, log, server, await server.repository("homelab"));
  }

  close(): Promise<void> {
    return this.server.stop();
  }

  /** Fills the repository. Adds Flux, monitoring and the demo's namespaces to the config of the add-ons' stack. */
  async prepare(): Promise<void> {
    const { text, ageKey } = await encryptSecret(plainSecret(this.password), this.log);
    await this.repository.push(firstFiles(text));
    const registry = registryOf(this.lab);
    const [flux, monitoring] = await Promise.all(
      ["flux2", "kube-prometheus-stack"].map((name) => pushChartDouble(registry, name, this.log)),
    );
    const file = addonsStackFile(this.lab.stack);
    const content = parse(fs.readFileSync(file, "utf8")) as { config: Record<string, object> };
    const addons = content.config["proxmox-k3s-addons:addons"] as { namespaces?: object };
    Object.assign(addons, {
      timeout: "10m",
      namespaces: { ...addons.namespaces, ...demoNamespaces },
      flux: {
        install: "chart",
        chart: flux,
        git: { url: this.repository.url, ca: this.server.ca, interval: "5s" },
        path: "./cluster",
        sops: true,
        nodes: {},
      },
      monitoring: { chart: monitoring },
    });
    fs.writeFileSync(file, stringify(content));
    await run("pulumi", ["config", "set", "--secret", "sopsAgeKey", "-C", addonsDir], { env: this.env, input: ageKey });
  }

  /** Checks what Flux applied from the repository: the decrypted secret, an object for each node, and a new commit. */
  async seeFlux(): Promise<string[]> {
    const data = await this.kubectl(
      "-n",
      SECRET.namespace,
      "get",
      "secret",
      SECRET.name,
      "-o",
      "jsonpath={.data.password}",
    );
    if (Buffer.from(data, "base64").toString() !== this.password)
      throw new Error("the secret differs from the one that was encrypted");
    const text = `commit of ${new Date().toISOString()}`;
    const began = Date.now();
    await this.repository.push({ "cluster/motd.yaml": motd(text) });
    const arrived = () => this.kubectl("-n", "open", "get", "configmap", "motd", "-o", "jsonpath={.data.text}");
    await until(120, "a commit did not arrive", async () => (await arrived()) === text);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    const objects = await this.kubectl("-n", "open", "get", "configmaps", "-o", "name");
    const nodes = [...objects.matchAll(/^configmap\/node-(\S+)$/gm)].map(([, name]) => name);
    return [
      `the secret of the repository is in the cluster, decrypted`,
      `a commit arrived after ${seconds} s`,
      `folders of nodes are applied: ${nodes.join(", ")}`,
    ];
  }

  /** Checks that the ingress answers on each node's HTTP and HTTPS port. */
  async seeIngress(): Promise<string[]> {
    const lines: string[] = [];
    for (const { name, address } of await this.nodes())
      for (const url of [`http://${address}:30080/`, `https://${address}:30443/`]) {
        const { status, body } = await until(60, `${url} of ${name} does not answer`, async () => {
          const answer = await askIngress(url, INGRESS_HOST).catch(() => undefined);
          return answer?.status === 200 && answer;
        });
        lines.push(`${name}: ${url} answers ${status}, from ${body}`);
      }
    return lines;
  }

  /** Checks that Prometheus scrapes each node and that all targets are up. Returns their number by job. */
  async seePrometheus(): Promise<string[]> {
    const nodes = (await this.nodes()).map(({ name }) => name);
    const path =
      "/api/v1/namespaces/monitoring/services/kube-prometheus-stack-prometheus:9090/proxy/api/v1/targets?state=active";
    interface Target {
      readonly labels: Readonly<Record<string, string>>;
      readonly health: string;
    }
    // The operator updates its list of kubelets every three minutes.
    const targets = await until(300, "not all targets are up", async () => {
      const { data } = JSON.parse(await this.kubectl("get", "--raw", path)) as { data: { activeTargets: Target[] } };
      const asks = (job: string, node: string) =>
        data.activeTargets.some(({ labels }) => labels["job"] === job && labels["node"] === node);
      const asksAll = nodes.every((node) => asks("node-exporter", node) && asks("kubelet", node));
      return asksAll && data.activeTargets.every(({ health }) => health === "up") && data.activeTargets;
    });
    const jobs = [...new Set(targets.map(({ labels }) => labels["job"] ?? "no job"))].sort();
    return jobs.map((job) => `${job}: ${targets.filter(({ labels }) => labels["job"] === job).length} targets, all up`);
  }

  /** Checks requests that the policies allow, and others that they block. */
  async seePolicies(): Promise<string[]> {
    const asked: readonly [from: DemoNamespace, to: DemoNamespace, isAllowed: boolean][] = [
      ["open", "open", true],
      ["open", "shop", false],
      ["open", "closed", false],
      ["closed", "closed", true],
      ["closed", "open", false],
      ["shop", "closed", false],
    ];
    const lines: string[] = [];
    for (const [from, to, isAllowed] of asked) {
      const what = `a pod of ${from} ${isAllowed ? "is answered by" : "does not reach"} one of ${to}`;
      await until(60, `not so: ${what}`, async () => (await this.answers(from, to)) === isAllowed);
      lines.push(what);
    }
    return lines;
  }

  private async answers(from: DemoNamespace, to: DemoNamespace): Promise<boolean> {
    const address = await this.kubectl(
      "-n",
      to,
      "get",
      "pods",
      "-l",
      `app=${to}`,
      "-o",
      "jsonpath={.items[0].status.podIP}",
    );
    const get = ["timeout", "4", "get", `http://${address}:8080/`];
    // Only a command that failed in the pod means a request without an answer.
    const answer = await this.kubectl("-n", from, "exec", `deployment/${from}`, "--", ...get).catch((error: Error) => {
      if (!error.message.includes("command terminated with exit code")) throw error;
      return "";
    });
    return answer.startsWith(`${to}-`);
  }

  private async nodes(): Promise<{ readonly name: string; readonly address: string }[]> {
    const template =
      '{range .items[*]}{.metadata.name} {.status.addresses[?(@.type=="InternalIP")].address}{"\\n"}{end}';
    const lines = (await this.kubectl("get", "nodes", "-o", `jsonpath=${template}`)).trim().split("\n");
    return lines.map((line) => line.split(" ") as [string, string]).map(([name, address]) => ({ name, address }));
  }

  private kubectl(...args: string[]): Promise<string> {
    return run("kubectl", args, { env: this.env });
  }
}

/**
 * Asks again every half second.
 *
 * @returns the first answer that counts as true
 * @throws Error with `failure` after that many seconds
 */
async function until<T>(seconds: number, failure: string, ask: () => Promise<T | false | undefined>): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${failure} (after ${seconds} s)`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
