/** A pod as `kubectl get -o json` has it. */
interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly podIP: string };
}

/** A request from one pod of the Deployment `hello` to another, or to its service. */
export interface PodRequest {
  readonly from: string;
  /** Node of the pod that gets the request, or `the service`. */
  readonly to: string;
  /** Name of the pod that answered. */
  readonly answer: string;
}

/**
 * Sends requests from a pod on each node to a pod on the other, and to the service.
 *
 * @param kubectl runs `kubectl` and returns what it prints.
 * @throws Error if a node has no pod, or the wrong pod answers.
 */
export async function requestsBetween(
  nodes: readonly [string, string],
  kubectl: (...args: string[]) => Promise<string>,
): Promise<PodRequest[]> {
  const { items } = JSON.parse(await kubectl("get", "pods", "-l", "app=hello", "-o", "json")) as { items: Pod[] };
  const service = (await kubectl("get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")).trim();
  const podOn = (node: string): Pod => {
    const pod = items.find(({ metadata, spec }) => spec.nodeName === node && !metadata.deletionTimestamp);
    if (!pod) throw new Error(`no pod runs on ${node}`);
    return pod;
  };
  const get = async (from: string, address: string) =>
    (await kubectl("exec", podOn(from).metadata.name, "--", "get", `http://${address}/`)).trim();
  const requests: PodRequest[] = [];
  for (const [from, to] of [nodes, [nodes[1], nodes[0]]] as const) {
    const { metadata, status } = podOn(to);
    const answer = await get(from, `${status.podIP}:8080`);
    if (answer !== metadata.name) throw new Error(`from ${from} to ${to}: '${answer}' answered, not ${metadata.name}`);
    requests.push({ from, to, answer });
    const ofService = await get(from, `${service}:80`);
    if (!items.some(({ metadata }) => metadata.name === ofService))
      throw new Error(`from ${from} to the service: '${ofService}' answered, which is not one of its pods`);
    requests.push({ from, to: "the service", answer: ofService });
  }
  return requests;
}
