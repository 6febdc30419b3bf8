import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { eventually, type Lab } from "./lab";

const NAME = "everywhere";
const NODE_PORT = 30080;

/** A pod on every node, servers included, that answers requests, and a Service for all of them. */
const WORKLOAD = {
  ...{ apiVersion: "v1", kind: "List" },
  items: [
    {
      ...{ apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: NAME } },
      spec: {
        selector: { matchLabels: { app: NAME } },
        template: {
          metadata: { labels: { app: NAME } },
          spec: {
            terminationGracePeriodSeconds: 2,
            tolerations: [{ operator: "Exists" }],
            containers: [
              {
                ...{ name: NAME, image: "docker.io/library/lab-test:1", imagePullPolicy: "Never" },
                readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
              },
            ],
          },
        },
      },
    },
    {
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: NAME } },
      spec: {
        ...{ type: "NodePort", selector: { app: NAME } },
        ports: [{ port: 80, targetPort: 8080, nodePort: NODE_PORT }],
      },
    },
  ],
};

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** The pods of an app that are Ready. */
export async function readyPods(lab: Lab, app: string): Promise<readonly Pod[]> {
  const { items } = await lab.kubectlJson<{ items: Pod[] }>("get", "pods", "-l", `app=${app}`);
  return items.filter(({ status }) =>
    status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True"),
  );
}

/** Deploys the pods to which {@link requests} sends requests. */
export async function deployEverywhere(lab: Lab): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "everywhere-"));
  const manifest = path.join(folder, "list.json");
  fs.writeFileSync(manifest, JSON.stringify(WORKLOAD));
  await lab.kubectl("apply", "-f", manifest);
  fs.rmSync(folder, { recursive: true });
}

/** How many requests a client has sent, and how many of them failed. */
interface Count {
  readonly asked: number;
  readonly failed: number;
}

/** A shell script that sends requests to each address until the file `end` exists. */
const asking = (get: string, addresses: readonly string[], end: string): string =>
  `asked=0; failed=0
   while :; do
     for each in ${addresses.join(" ")}; do
       asked=$((asked + 1)); [ -n "$(${get} http://$each/)" ] || failed=$((failed + 1))
     done
     [ ! -e ${end} ] || break
     sleep 0.3
   done
   echo $asked $failed`;

let runs = 0;

/**
 * Sends requests from the pod on every node to all pods, to their Service and to its NodePort on every node; and from an outside
 * client to that NodePort.
 * @param nodes addresses of all nodes
 * @param client an address of the lab's Proxmox host
 */
export async function requests(
  lab: Lab,
  nodes: readonly string[],
  client: string,
): Promise<{ stop(): Promise<Count[]> }> {
  const pods = await eventually(120, async () => {
    const ready = await readyPods(lab, NAME);
    return ready.length === nodes.length && ready;
  });
  const service = (await lab.kubectl("get", "service", NAME, "-o", "jsonpath={.spec.clusterIP}")).trim();
  const nodePorts = nodes.map((address) => `${address}:${NODE_PORT}`);
  const addresses = [...pods.map(({ status }) => `${status.podIP}:8080`), `${service}:80`, ...nodePorts];
  const names = pods.map(({ metadata }) => metadata.name);
  const end = `/tmp/asking-${process.pid}-${++runs}`;
  const fromOutside = asking(`curl -s -m 5 --interface ${client}`, nodePorts, end);
  const running = Promise.all([
    ...names.map((pod) => lab.kubectl("exec", pod, "--", "sh", "-c", asking("get", addresses, end))),
    lab.hostWithInput("sh -e", fromOutside),
  ]);
  // `stop` throws the error.
  running.catch(() => {});
  return {
    async stop() {
      await Promise.all(names.map((pod) => lab.kubectl("exec", pod, "--", "touch", end)));
      await lab.host(`touch ${end}`);
      return (await running).map((text) => {
        const [asked = 0, failed = 0] = text.trim().split(" ").map(Number);
        return { asked, failed };
      });
    },
  };
}
