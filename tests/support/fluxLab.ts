import type { Finding } from "../../cli/doctor/finding";
import { eventually, type Lab } from "./lab";

/** Content of the Flux suite's repository: a namespace, a ConfigMap for the cluster, and objects for each node. */

/** The namespace of these objects. */
const NAMESPACE = "agents";

export const namespace = (name = NAMESPACE): string => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name} }\n`;

export const configMap = (name: string, text: string, inNamespace = NAMESPACE): string =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: inNamespace }, data: { text } });

/** A ConfigMap with everything that Flux knows about the node, and a pod that runs there. @param more text for the ConfigMap */
export const nodeFolder = (more = ""): string => `
${configMap("agent-${node_name}", `\${node_name} \${node_address} \${node_pool} \${node_role}${more}`)}
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: "agent-\${node_name}", namespace: ${NAMESPACE} }
spec:
  selector: { matchLabels: { agent: "\${node_name}" } }
  template:
    metadata: { labels: { agent: "\${node_name}" } }
    spec:
      nodeSelector: { kubernetes.io/hostname: "\${node_name}" }
      tolerations: [{ operator: Exists, effect: NoSchedule }]
      terminationGracePeriodSeconds: 2
      containers: [{ name: agent, image: "docker.io/library/lab-test:1", imagePullPolicy: Never }]
`;

/** The repository's three files when the suite starts. */
export const firstFiles = (text: string): Record<string, string> => ({
  "cluster/namespace.yaml": namespace(),
  "cluster/motd.yaml": configMap("motd", text),
  "node/agent.yaml": nodeFolder(),
});

/** What Flux has made from the repository in a lab's cluster. */
export class FluxLab {
  constructor(private readonly lab: Lab) {}

  /** Names of the ConfigMaps, without those that Kubernetes makes in every namespace. */
  async configMaps(inNamespace = NAMESPACE): Promise<string[]> {
    const names = await this.lab.kubectl("-n", inNamespace, "get", "configmaps", "-o", "name");
    return names
      .trim()
      .split("\n")
      .map((name) => name.replace("configmap/", ""))
      .filter((name) => name !== "kube-root-ca.crt")
      .sort();
  }

  text(name: string): Promise<string> {
    return this.lab.kubectl("-n", NAMESPACE, "get", "configmap", name, "-o", "jsonpath={.data.text}");
  }

  /** @throws Error unless the ConfigMap has this text within two minutes */
  async eventuallyText(name: string, text: string): Promise<void> {
    await eventually(120, async () => (await this.text(name)) === text);
  }

  /** Nodes on which an agent runs. */
  async agents(): Promise<string[]> {
    const pods = await this.lab.kubectlJson<{ items: { spec: { nodeName?: string }; status: { phase: string } }[] }>(
      ...["-n", NAMESPACE, "get", "pods"],
    );
    const running = pods.items.filter(({ status }) => status.phase === "Running");
    return running.map(({ spec }) => spec.nodeName ?? "").sort();
  }

  /** What `proxmox-k3s status` says about Flux: level, text, command. */
  async status(): Promise<string[]> {
    const { stdout } = await this.lab.cluster("status", "--json");
    const { findings } = JSON.parse(stdout) as { findings: Finding[] };
    return findings
      .filter(({ check }) => check === "flux")
      .map(({ level, seen, remedy = "" }) => `${level}: ${seen}${remedy && ` → ${remedy}`}`);
  }

  /** @throws Error unless status says exactly this within two minutes; while Flux tries again, it says something else */
  async eventuallySays(...lines: readonly (string | RegExp)[]): Promise<void> {
    const isSaid = (line: string | RegExp, said = ""): boolean =>
      typeof line === "string" ? line === said : line.test(said);
    let said: string[] = [];
    await eventually(120, async () => {
      said = await this.status();
      return said.length === lines.length && lines.every((line, at) => isSaid(line, said[at]));
    }).catch(() => {
      throw new Error(`status does not say ${lines.join(", ")}, but ${said.join(", ")}`);
    });
  }
}

/** What status says if Flux has done all its work. */
export const allReady = (kustomizations: number): string[] => [
  `ok: Kustomizations: ${kustomizations}, sources and others: 1, all Ready`,
];
