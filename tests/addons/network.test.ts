import { installClusterServices } from "../../lab/components/clusterServices";
import { testImage } from "../../lab/k3s/versions";
import { artifactHost, findLab, labNetwork } from "../../lab/lab";
import { AddonsLab } from "../support/addonsLab";
import { applyObjects } from "../support/askers";
import { askIngress, TRAEFIK_CERTIFICATE } from "../../lab/support/askIngress";
import { eventually, finish, Lab } from "../support/lab";

/*
 * What may connect to what, tested with real connections: Traefik on the node ports of every node, and the NetworkPolicies of the
 * program's namespaces between pods on two nodes, to and from the nodes, the host, DNS and the API. Each connection that must fail has a
 * counterpart from the same place that must work.
 */

const lab = new Lab("network");
const addons = new AddonsLab(lab);

const NODES = { "k3s-master": 20, "k3s-worker-01": 21, "k3s-worker-02": 22 };
const WORKERS = { one: { name: "k3s-worker-01", vmid: 102 }, two: { name: "k3s-worker-02", vmid: 103 } };
const at = (last: number): string => `${labNetwork(findLab(lab.name)!.subnet).prefix}.${last}`;
const host = (): string => at(1);

/** The namespaces of the config; each has a pod `NAMESPACE-one` on the first worker and `NAMESPACE-two` on the second. */
const namespaces = () => ({
  open: { isolated: false },
  closed: {},
  shop: { allow: { ingress: true, from: ["customers"] } },
  customers: { allow: { to: ["shop", "closed"] } },
  outward: { allow: { outside: true } },
  database: { allow: { destinations: [{ cidr: `${host()}/32`, ports: [22] }] } },
  operator: { allow: { api: true } },
});
const NAMES = ["open", "closed", "shop", "customers", "outward", "database", "operator"];
const PLACES = ["one", "two"] as const;

beforeAll(async () => {
  await addons.raise();
  await lab.pulumiOk("up", "--yes", "--skip-preview");
  await installClusterServices(findLab(lab.name)!, console.error);
  addons.edit((config) => {
    config.timeout = "10m";
    config.namespaces = Object.fromEntries(
      Object.entries(namespaces()).map(([name, of]) => [name, { podSecurity: "baseline", ...of }]),
    );
  });
  await addons.result("up");
  await applyObjects(lab, [...NAMES.flatMap(objectsOf), ingressTo("shop"), ingressTo("closed")]);
  await lab.kubectl("wait", "--for=condition=Ready", "pods", "-A", "-l", "suite=network", "--timeout=300s");
  await readAddresses();
  // The policy controller needs some seconds to notice new pods.
  await eventually(120, async () => {
    for (const place of PLACES)
      if ((await ask(`closed-${place}`, "open-one")) !== "" || (await ask(`open-${place}`, "shop-two")) !== "")
        return false;
    return true;
  });
}, 90 * 60_000);
afterAll(() => lab.down(), 120_000);

jest.setTimeout(180_000);

describe("the ingress", () => {
  const ports = [
    ["http", 30_080],
    ["https", 30_443],
  ] as const;
  const nodes = Object.keys(NODES) as (keyof typeof NODES)[];
  const asked = nodes.flatMap((node) => ports.map(([scheme, port]) => [scheme, port, node] as const));

  it.each(asked)("answers %s on port %i of %s", async (scheme, port, node) => {
    const answer = await eventually(60, async () => {
      const said = await askIngress(`${scheme}://${at(NODES[node])}:${port}/`, "shop.lab");
      return said.status === 200 && said;
    });
    expect(answer.body).toMatch(/^shop-(one|two)$/);
    expect(answer.certificate).toBe(scheme === "https" ? TRAEFIK_CERTIFICATE : undefined);
  });

  it.each(nodes)("of %s does not reach a namespace that does not allow it", async (node) => {
    const { status } = await askIngress(`http://${at(NODES[node])}:30080/`, "closed.lab");
    expect([502, 504]).toContain(status);
  });
});

/** What answers at a target, if it may: a pod with its name, a server that only speaks TLS with Go's error for that. */
const TLS_ONLY = "Client sent an HTTP request to an HTTPS server.";
const words: Readonly<Record<string, string | RegExp>> = {
  "service shop": /^shop-(one|two)$/,
  "host:22": /^SSH-2\.0-/,
  "host:5000": TLS_ONLY,
  api: TLS_ONLY,
  "kubelet of k3s-worker-01": TLS_ONLY,
  "kubelet of k3s-worker-02": TLS_ONLY,
  "CoreDNS' metrics": /coredns_/,
};

describe("a pod", () => {
  it.each([
    // No policies at all.
    ["open-one", "open-two", "answers"],
    ["open-one", "host:22", "answers"],
    ["open-one", "host:5000", "answers"],
    ["open-one", "api", "answers"],
    ["open-one", "CoreDNS' metrics", "answers"],
    ["open-one", "kubelet of k3s-worker-01", "answers"],
    ["open-one", "kubelet of k3s-worker-02", "answers"],
    // What is not listed is denied, on the same node and on another.
    ["open-one", "closed-one", "is out of reach"],
    ["open-one", "closed-two", "is out of reach"],
    ["closed-one", "open-one", "is out of reach"],
    ["closed-one", "open-two", "is out of reach"],
    ["closed-one", "shop-two", "is out of reach"],
    ["closed-one", "service shop", "is out of reach"],
    ["closed-one", "host:22", "is out of reach"],
    ["closed-one", "host:5000", "is out of reach"],
    ["closed-one", "api", "is out of reach"],
    ["closed-one", "CoreDNS' metrics", "is out of reach"],
    ["closed-one", "kubelet of k3s-worker-01", "is out of reach"],
    ["closed-one", "kubelet of k3s-worker-02", "is out of reach"],
    // Within the namespace.
    ["closed-one", "closed-two", "answers"],
    ["closed-two", "closed-one", "answers"],
    // `from` and `to`: both ends must allow it.
    ["customers-one", "shop-one", "answers"],
    ["customers-one", "shop-two", "answers"],
    ["customers-two", "service shop", "answers"],
    ["customers-one", "closed-two", "is out of reach"],
    ["shop-one", "customers-one", "is out of reach"],
    ["open-one", "shop-one", "is out of reach"],
    ["open-two", "service shop", "is out of reach"],
    // `outside`: neither pods nor nodes are outside.
    ["outward-one", "host:22", "answers"],
    ["outward-one", "host:5000", "answers"],
    ["outward-one", "open-one", "is out of reach"],
    ["outward-one", "open-two", "is out of reach"],
    ["outward-one", "api", "is out of reach"],
    ["outward-one", "kubelet of k3s-worker-01", "is out of reach"],
    ["outward-one", "kubelet of k3s-worker-02", "is out of reach"],
    // `destinations`: this address, this port.
    ["database-two", "host:22", "answers"],
    ["database-two", "host:5000", "is out of reach"],
    ["database-two", "open-one", "is out of reach"],
    ["database-two", "api", "is out of reach"],
    // `api`: only this port of the servers.
    ["operator-one", "api", "answers"],
    ["operator-one", "host:22", "is out of reach"],
    ["operator-one", "kubelet of k3s-worker-01", "is out of reach"],
    ["operator-one", "open-one", "is out of reach"],
  ])("from %s: %s %s", async (pod, target, verdict) => {
    const answer = await ask(pod, target);
    if (verdict === "is out of reach") expect(answer).toBe("");
    else if (words[target] instanceof RegExp) expect(answer).toMatch(words[target]);
    else expect(answer).toBe(words[target] ?? target);
  });

  it.each(["open-one", "closed-one", "closed-two", "outward-one"])(
    "%s resolves names, in the cluster and outside",
    async (pod) => {
      expect(await resolve(pod, "shop.shop.svc.cluster.local")).toBe(addresses.get("service shop"));
      expect(await resolve(pod, artifactHost)).toBe(host());
    },
  );

  it("can ask the host's name server only if it may connect to addresses outside", async () => {
    expect(await resolve("outward-one", artifactHost, host())).toBe(host());
    expect(await resolve("closed-one", artifactHost, host())).toBe("");
    expect(await resolve("database-two", artifactHost, host())).toBe("");
  });
});

describe("from outside the pods", () => {
  it("a node reaches the pods that it runs, and no others of an isolated namespace", async () => {
    for (const place of PLACES) {
      const other = place === "one" ? "two" : "one";
      expect(await askFromNode(place, `closed-${place}`)).toBe(`closed-${place}`);
      expect(await askFromNode(place, `closed-${other}`)).toBe("");
      expect(await askFromNode(place, `open-${other}`)).toBe(`open-${other}`);
    }
  });

  it.each(Object.entries(NODES))("a node port of an isolated namespace does not answer on %s", async (_, last) => {
    expect((await askIngress(`http://${at(last)}:${NODE_PORTS["open"]}/`, "open")).body).toMatch(/^open-/);
    await expect(askIngress(`http://${at(last)}:${NODE_PORTS["closed"]}/`, "closed")).rejects.toThrow();
  });
});

describe("a change of the config", () => {
  const setFrom = async (from: string[]) => {
    addons.edit((config) => {
      config.namespaces.closed.allow = { from };
    });
    await addons.result("up");
  };
  const isAnswered = async () => (await ask("open-one", "closed-two")) !== "";

  it("allows what it lists from then on, and no longer once it is removed", async () => {
    await setFrom(["open"]);
    await eventually(30, isAnswered);
    await setFrom([]);
    await eventually(30, async () => !(await isAnswered()));
  });
});

const NODE_PORTS: Readonly<Record<string, number>> = { open: 30_090, closed: 30_091 };

/** Addresses and ports that pods connect to, by the names in the tests. */
const addresses = new Map<string, string>();

async function readAddresses(): Promise<void> {
  const { items } = await lab.kubectlJson<{ items: { metadata: { name: string }; status: { podIP: string } }[] }>(
    ...["get", "pods", "-A", "-l", "suite=network"],
  );
  for (const { metadata, status } of items) addresses.set(metadata.name, `${status.podIP}:8080`);
  const coredns = ["-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns"];
  addresses.set("CoreDNS' metrics", `${await lab.kubectl(...coredns, "-o", "jsonpath={.items[0].status.podIP}")}:9153`);
  const service = ["-n", "shop", "get", "service", "shop", "-o", "jsonpath={.spec.clusterIP}"];
  addresses.set("service shop", await lab.kubectl(...service));
  addresses.set("host:22", `${host()}:22`);
  addresses.set("host:5000", `${host()}:5000`);
  addresses.set("api", "10.43.0.1:443");
  addresses.set("kubelet of k3s-worker-01", `${at(21)}:10250`);
  addresses.set("kubelet of k3s-worker-02", `${at(22)}:10250`);
}

/** What a pod gets from a target; empty if nothing answers within some seconds. */
async function ask(pod: string, target: string): Promise<string> {
  const address = addresses.get(target)!;
  const [host = "", port = "80"] = address.split(":");
  // sshd sends the first line.
  if (target === "host:22") return (await inPod(pod, "timeout", "5", "nc", "-w", "5", host, port)).trim();
  const page = target === "CoreDNS' metrics" ? "metrics" : "";
  return (await inPod(pod, "timeout", "5", "get", `http://${host}:${port}/${page}`)).trim();
}

/** The address of a name for a pod; empty if no server answers. @param server another name server than the pod's own */
async function resolve(pod: string, name: string, ...server: string[]): Promise<string> {
  const said = await inPod(pod, "timeout", "8", "nslookup", "-type=a", name, ...server);
  // The first address in the output is the name server's.
  return [...said.matchAll(/^Address: (\S+)$/gm)].at(-1)?.[1] ?? "";
}

/** The output of a command in a pod, whatever its exit code; kubectl's own failures are thrown. */
async function inPod(pod: string, ...command: string[]): Promise<string> {
  const namespace = pod.split("-")[0]!;
  const args = ["-n", namespace, "exec", pod, "--", ...command];
  const { code, stdout, stderr } = await finish("kubectl", args, lab.environment);
  if (code !== 0 && !stderr.includes("command terminated with exit code"))
    throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

async function askFromNode(place: keyof typeof WORKERS, pod: string): Promise<string> {
  const asked = `curl -sm 5 http://${addresses.get(pod)}/ || :`;
  return (await lab.inGuest(WORKERS[place].vmid, asked)).trim();
}

/** A pod of a namespace on each worker, and their service. */
function objectsOf(namespace: string): object[] {
  const labels = { suite: "network" };
  const pods = PLACES.map((place) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `${namespace}-${place}`, namespace, labels },
    spec: {
      nodeSelector: { "kubernetes.io/hostname": WORKERS[place].name },
      terminationGracePeriodSeconds: 2,
      containers: [{ name: "pod", image: testImage }],
    },
  }));
  const nodePort = NODE_PORTS[namespace];
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: namespace, namespace },
    spec: {
      selector: labels,
      ports: [{ port: 80, targetPort: 8080, ...(nodePort !== undefined && { nodePort }) }],
      ...(nodePort !== undefined && { type: "NodePort" }),
    },
  };
  return [...pods, service];
}

function ingressTo(namespace: string): object {
  const backend = { service: { name: namespace, port: { number: 80 } } };
  const paths = [{ path: "/", pathType: "Prefix", backend }];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: namespace, namespace },
    spec: { rules: [{ host: `${namespace}.lab`, http: { paths } }] },
  };
}
