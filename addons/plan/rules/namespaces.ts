import type { Problem } from "../../../config/problems";
import type { Draft } from "../../config/schema";
import { addonNamespaces, SYSTEM_NAMESPACES } from "../namespaces";

/** Namespaces that a person names must be free: an existing one would become the program's, and be deleted with it. */
export function checkNamespaces(draft: Draft): Problem[] {
  const named = Object.keys(draft.namespaces ?? {});
  const taken = addonNamespaces(draft).map(({ name }) => name);
  const ofAddons = named
    .filter((name) => taken.includes(name))
    .map((name) => ({
      path: `addons.namespaces.${name}`,
      problem: "is the namespace of an add-on, which the program makes itself",
      hint: "choose another name",
    }));
  const ofKubernetes = named
    .filter((name) => SYSTEM_NAMESPACES.some((system) => system === name) || name.startsWith("kube-"))
    .map((name) => ({
      path: `addons.namespaces.${name}`,
      problem: "is a namespace of Kubernetes itself",
      hint: "choose another name",
    }));
  return [...ofAddons, ...ofKubernetes];
}
