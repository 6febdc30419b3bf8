import { testImage } from "../../lab/k3s/versions";
import { finish, type Lab } from "./lab";

/** Pods that try to connect, one in each of some namespaces. Each also listens on port 8080. Their label is `app: asker`. */
export class Askers {
  constructor(
    private readonly lab: Lab,
    private readonly namespaces: readonly string[],
  ) {}

  /** Makes the pods and waits until they run. */
  async start(): Promise<void> {
    const items = this.namespaces.map((namespace) => ({
      ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "asker", namespace, labels: { app: "asker" } } },
      spec: { containers: [{ name: "asker", image: testImage, imagePullPolicy: "IfNotPresent" }] },
    }));
    await applyObjects(this.lab, items);
    for (const namespace of this.namespaces)
      await this.lab.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/asker", "--timeout=180s");
  }

  async stop(): Promise<void> {
    for (const namespace of this.namespaces)
      await this.lab.kubectl("-n", namespace, "delete", "pod", "asker", "--now", "--ignore-not-found");
  }

  /** Whether a namespace's pod can connect to a port within 4 s. */
  async connects(namespace: string, host: string, port: number): Promise<boolean> {
    const asked = ["-n", namespace, "exec", "asker", "--", "nc", "-w", "4", host, String(port)];
    const { code, stderr } = await finish("kubectl", asked, this.lab.environment);
    if (code !== 0 && !stderr.includes("command terminated with exit code"))
      throw new Error(`kubectl ${asked.join(" ")} ended with ${code}: ${stderr}`);
    return code === 0;
  }
}

/** `kubectl apply` of objects. @throws Error with what kubectl printed */
export async function applyObjects(lab: Lab, items: readonly object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  const { code, stderr } = await finish("kubectl", ["apply", "-f", "-"], lab.environment, list);
  if (code !== 0) throw new Error(stderr);
}
