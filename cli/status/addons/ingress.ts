import type { IngressSight } from "../../../plan/addonsSight";
import type { NodePlan } from "../../../plan/model";
import { fail, ok } from "../../doctor/finding";
import { broken, type Difference, unseen } from "../difference";
import { firstOf, someOf } from "./words";

const CHECK = "ingress";

/** @param nodes the nodes of the plan that run and are Ready */
export function checkIngress({ namespace, nodePorts, ports }: IngressSight, nodes: readonly NodePlan[]): Difference[] {
  const names = nodes.map(({ name }) => name);
  const silent = names.flatMap((name) => {
    const own = ports.filter(({ node, answers }) => node === name && !answers).map(({ port }) => port);
    return own.length > 0 ? [[name, own] as const] : [];
  });
  const pods = `kubectl -n ${namespace} get pods -l app.kubernetes.io/name=traefik -o wide says where Traefik runs`;
  const found = silent.map(([name, own]) =>
    broken(CHECK, name, `does not answer on NodePort ${own.join(" and ")}`, pods),
  );
  const notAsked = names.filter(
    (name) => !nodePorts.every((port) => ports.some((each) => each.node === name && each.port === port)),
  );
  const blind = {
    why: `no node could ask for the NodePorts of ${someOf(notAsked)}`,
    remedy: "kubectl get nodes says which nodes are Ready; the guests need bash",
  };
  return [
    ...firstOf(found, (count) => fail(CHECK, `${count} more nodes do not answer on their NodePorts`, pods)),
    ...(notAsked.length > 0 ? [unseen(CHECK, blind)] : []),
    ...(found.length + notAsked.length === 0
      ? [ok(CHECK, `NodePorts ${nodePorts.join(" and ")} answer on all nodes`)]
      : []),
  ];
}
