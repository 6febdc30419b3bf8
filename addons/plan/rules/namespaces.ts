import type { Problem } from "../../../config/problems";
import type { AllowSettings } from "../../config/sections/namespaces";
import type { Draft, Settings } from "../../config/schema";
import type { Cluster } from "../cluster";
import { ingressNamespace } from "../ingress";
import { addonNamespaces, SYSTEM_NAMESPACES } from "../namespaces";

/** Namespaces in the config must be free: the program would take over an existing one, and delete it later. */
export function checkNamespaces(draft: Draft): Problem[] {
  const named = Object.keys(draft.namespaces ?? {});
  const taken = addonNamespaces(draft).map(({ name }) => name);
  const ofAddons = named
    .filter((name) => taken.includes(name))
    .map((name) => ({
      path: `addons.namespaces.${name}`,
      problem: "is the namespace of an add-on, which the program creates itself",
      hint: "choose another name",
    }));
  const ofKubernetes = named
    .filter((name) => SYSTEM_NAMESPACES.some((system) => system === name) || name.startsWith("kube-"))
    .map((name) => ({
      path: `addons.namespaces.${name}`,
      problem: "is a namespace of Kubernetes itself",
      hint: "choose another name",
    }));
  return [...ofAddons, ...ofKubernetes, ...checkAllowed(draft)];
}

/** Without isolation, an `allow` would look like a limit, but it would limit nothing. */
function checkAllowed({ namespaces = {} }: Draft): Problem[] {
  const isUsed = (allow: AllowSettings): boolean =>
    Object.values(allow).some((value) => (Array.isArray(value) ? value.length > 0 : value));
  return Object.entries(namespaces)
    .filter(([, { isolated, allow }]) => !isolated && isUsed(allow))
    .map(([name]) => ({
      path: `addons.namespaces.${name}.allow`,
      problem: "limits nothing: isolated is false, so every connection is allowed",
      hint: "remove it, or set isolated: true",
    }));
}

/** Settings that are not possible on this cluster. */
export function checkNamespacesOn(settings: Settings, cluster: Cluster): Problem[] {
  if (ingressNamespace(settings, cluster) !== undefined) return [];
  return Object.entries(settings.namespaces)
    .filter(([, { isolated, allow }]) => isolated && allow.ingress)
    .map(([name]) => ({
      path: `addons.namespaces.${name}.allow.ingress`,
      problem: "has no ingress controller: the cluster's config disables traefik, and ingress installs none",
      hint: "set ingress.traefik: release; or name the namespace of your own controller in allow.from",
    }));
}
