import type { Problem } from "../../../config/problems";
import type { Settings } from "../../config/schema";
import { SYSTEM_NAMESPACES } from "../namespaces";

/** Namespaces that a person names must be free: an existing one would become the program's, and be deleted with it. */
export function checkNamespaces(settings: Settings): Problem[] {
  return Object.keys(settings.namespaces)
    .filter((name) => SYSTEM_NAMESPACES.some((system) => system === name) || name.startsWith("kube-"))
    .map((name) => ({
      path: `addons.namespaces.${name}`,
      problem: "is a namespace of Kubernetes itself",
      hint: "choose another name",
    }));
}
