import { nodeKustomizationName, nodeOfKustomization } from "../../../plan/addonNames";
import type { FluxObjectSight } from "../../../plan/addonsSight";
import type { ClusterPlan } from "../../../plan/model";
import { fail, ok, warn } from "../../doctor/finding";
import type { Difference } from "../difference";
import { broken, odd } from "../difference";
import type { Sight } from "../sight";
import { conditionOf, firstOf, isTrue, reasonOf } from "./words";

const CHECK = "flux";
const KUSTOMIZATION = "Kustomization";
/** The command that repairs the objects of the program `addons/`. */
const ADDONS_UP = "pulumi up in the folder addons/";

/** Flux's sources and what it applies from them; and the Kustomization of each node, if the add-ons have them. */
export function checkFlux(seen: readonly FluxObjectSight[], plan: ClusterPlan, sight: Sight): Difference[] {
  const found = seen.flatMap((object) => checkObject(object, plan));
  const failed = found.filter(({ level }) => level === "fail");
  const others = found.filter(({ level }) => level !== "fail");
  const ofNodes = checkNodes(seen, plan, sight);
  const all = "kubectl get gitrepositories,kustomizations -A lists them";
  if (found.length + ofNodes.length === 0) {
    const applied = seen.filter(({ kind }) => kind === KUSTOMIZATION).length;
    return [ok(CHECK, `Kustomizations: ${applied}, sources and others: ${seen.length - applied}, all Ready`)];
  }
  return [
    ...firstOf(failed, (count) => fail(CHECK, `${count} more objects are not Ready`, all)),
    ...firstOf(others, (count) => warn(CHECK, `${count} more objects are suspended or have no result yet`, all)),
    ...firstOf(ofNodes, (count) =>
      warn(CHECK, `${count} more nodes have no Kustomization, or one too many`, ADDONS_UP),
    ),
  ];
}

function checkObject(object: FluxObjectSight, plan: ClusterPlan): Difference[] {
  const { kind, namespace, name, conditions, isSuspended, isCurrent } = object;
  const ownNode = object.isOfAddons && kind === KUSTOMIZATION ? nodeOfKustomization(name) : undefined;
  const node = plan.nodes.find((each) => each.name === ownNode)?.name;
  const title = `${kind} ${namespace}/${name}`;
  const of = (finding: Difference): Difference[] => [node === undefined ? finding : { ...finding, node }];
  const kubectl = (verb: string): string => `kubectl -n ${namespace} ${verb} ${kind.toLowerCase()} ${name}`;
  if (isSuspended) {
    const resume = `${kubectl("patch")} --type=merge -p '{"spec":{"suspend":false}}'`;
    const remedy =
      node === undefined
        ? `${resume}, unless it should stay suspended`
        : `remove ${node} from flux.nodes.suspended in the add-ons' config, then ${ADDONS_UP}; if somebody did it by hand: ${resume}`;
    return of(warn(CHECK, `${title} is suspended: Flux does not change it`, remedy));
  }
  // A Helm repository in an OCI registry is only an address, so Flux reports nothing about it.
  if (kind === "HelmRepository" && conditions.length === 0) return [];
  if (isTrue("Ready", conditions) && isCurrent) return [];
  const why = `${kubectl("describe")} says why`;
  if (conditionOf("Ready", conditions)?.status === "False")
    return of(fail(CHECK, `${title} is not Ready${reasonOf("Ready", conditions)}`, why));
  return of(
    warn(
      CHECK,
      `${title} has no result yet${reasonOf("Ready", conditions)}`,
      `wait for Flux; if that does not help, ${why}, and kubectl -n ${namespace} get pods whether its controllers run`,
    ),
  );
}

/** Whether the add-ons know the nodes that the cluster has. */
function checkNodes(seen: readonly FluxObjectSight[], plan: ClusterPlan, { record }: Sight): Difference[] {
  const names = seen
    .filter(({ kind, isOfAddons }) => kind === KUSTOMIZATION && isOfAddons)
    .flatMap(({ name }) => nodeOfKustomization(name) ?? []);
  if (names.length === 0) return [];
  const planned = plan.nodes.map(({ name }) => name);
  const made = record.nodes.map(({ name }) => name);
  // A node that does not exist yet has its own line. A node that is still leaving needs its Kustomization.
  const lacking = planned.filter((name) => made.includes(name) && !names.includes(name));
  const gone = names.filter((name) => !planned.includes(name) && !made.includes(name));
  return [
    ...lacking.map((name) => broken(CHECK, name, `has no Kustomization ${nodeKustomizationName(name)}`, ADDONS_UP)),
    ...gone.map((name) =>
      odd(CHECK, name, `is no longer a node, but Flux still applies ${nodeKustomizationName(name)}`, ADDONS_UP),
    ),
  ];
}
