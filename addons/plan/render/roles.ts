import type { AccessSettings } from "../../config/sections/access";

/** A rule of a ClusterRole (rbac.authorization.k8s.io/v1). */
export interface RoleRule {
  readonly apiGroups: string[];
  readonly resources: string[];
  readonly verbs: string[];
}

export interface RolePlan {
  readonly name: string;
  readonly rules: readonly RoleRule[];
}

export interface Subject {
  readonly kind: "User" | "Group" | "ServiceAccount";
  readonly name: string;
  readonly namespace?: string;
  readonly apiGroup?: string;
}

export interface BindingPlan {
  readonly name: string;
  /** The ClusterRole. */
  readonly role: string;
  readonly subjects: readonly Subject[];
}

export interface AccessPlan {
  readonly roles: readonly RolePlan[];
  readonly bindings: readonly BindingPlan[];
}

const READ = ["get", "list", "watch"];
const rule = (apiGroup: string, resources: string[], verbs = READ): RoleRule => ({
  apiGroups: [apiGroup],
  resources,
  verbs,
});

/**
 * Rights that Kubernetes' own role `view` lacks: objects without a namespace, and objects of the add-ons and of K3s. None of them
 * is a secret.
 */
const VIEWER: readonly RoleRule[] = [
  rule("", ["nodes", "persistentvolumes", "events"]),
  rule("storage.k8s.io", ["storageclasses", "volumeattachments", "csinodes"]),
  rule("apiextensions.k8s.io", ["customresourcedefinitions"]),
  rule("metrics.k8s.io", ["nodes", "pods"]),
  rule("source.toolkit.fluxcd.io", ["*"]),
  rule("kustomize.toolkit.fluxcd.io", ["*"]),
  rule("longhorn.io", ["*"]),
  rule("monitoring.coreos.com", ["*"]),
];

/**
 * The daily work that changes no workload. It excludes two rights on purpose: `patch` on workloads, which gives access to any
 * secret that they can mount, and a shell in a pod (`pods/exec`).
 */
const OPERATOR: readonly RoleRule[] = [
  rule("", ["pods"], ["delete"]),
  rule("", ["pods/eviction"], ["create"]),
  rule("", ["nodes"], ["patch"]),
  rule("apps", ["deployments/scale", "replicasets/scale", "statefulsets/scale"], ["get", "update", "patch"]),
];

const PREFIX = "proxmox-k3s";

/** The roles, and who has them. A role that nobody has is created too, so that a binding by hand can use it. */
export function planAccess({ viewers, operators }: AccessSettings): AccessPlan {
  const everybody = [...new Set([...viewers, ...operators])].map(subjectOf);
  const roles = [
    { name: `${PREFIX}-viewer`, rules: VIEWER },
    { name: `${PREFIX}-operator`, rules: OPERATOR },
  ];
  const bindings = [
    { name: `${PREFIX}-view`, role: "view", subjects: everybody },
    { name: `${PREFIX}-viewer`, role: `${PREFIX}-viewer`, subjects: everybody },
    { name: `${PREFIX}-operator`, role: `${PREFIX}-operator`, subjects: [...new Set(operators)].map(subjectOf) },
  ];
  return { roles, bindings: bindings.filter(({ subjects }) => subjects.length > 0) };
}

/** @param text `user:NAME`, `group:NAME` or `serviceaccount:NAMESPACE/NAME` */
function subjectOf(text: string): Subject {
  const at = text.indexOf(":");
  const name = text.slice(at + 1);
  const kind = text.slice(0, at);
  if (kind !== "serviceaccount")
    return { kind: kind === "user" ? "User" : "Group", name, apiGroup: "rbac.authorization.k8s.io" };
  const [namespace = "", account = ""] = name.split("/");
  return { kind: "ServiceAccount", name: account, namespace };
}
