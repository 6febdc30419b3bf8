import type { Problem } from "../../config/problems";

const NAME = "[A-Za-z0-9](?:[\\w.-]{0,61}[A-Za-z0-9])?";
const PREFIX = "(?=[^/]{1,253}/)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*/";

/** A Kubernetes qualified name, as keys of labels and taints are. */
export const LABEL_KEY = new RegExp(`^(?:${PREFIX})?${NAME}$`);
export const LABEL_VALUE = new RegExp(`^(?:${NAME})?$`);
/** The prefix of node roles. Kubernetes does not let a kubelet set labels with it. */
export const ROLE_PREFIX = "node-role.kubernetes.io";

/** Kubernetes' own prefixes under which a kubelet may still set labels (kubelet, `getLabelNamespace`; NodeRestriction). */
const KUBELET_PREFIXES = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const KUBELET_LABELS: ReadonlySet<string> = new Set(["topology.kubernetes.io/region", "topology.kubernetes.io/zone"]);

/** True if the text is a valid key of a label or taint. */
export const isQualifiedName = (key: string): boolean => LABEL_KEY.test(key);

/** True if the text is a valid value of a label or taint. */
export const isLabelValue = (value: string): boolean => LABEL_VALUE.test(value);

export function checkLabels(path: string, labels: Readonly<Record<string, string>>): Problem[] {
  return Object.entries(labels).flatMap(([key, value]) => [...checkKey(path, key), ...checkValue(path, key, value)]);
}

function checkKey(path: string, key: string): Problem[] {
  const at = `${path}${labelStep(key)}`;
  if (!isQualifiedName(key)) {
    return [
      {
        path: at,
        problem: `"${key}" is not a label key`,
        hint: "at most 63 letters, digits, -, _ and ., optionally after a DNS name and a slash; for example tier or example.org/tier",
      },
    ];
  }
  const prefix = key.includes("/") ? (key.split("/")[0] ?? "") : "";
  if (prefix === ROLE_PREFIX) {
    return [
      {
        path: at,
        problem: "is refused by Kubernetes: no kubelet may give itself a role",
        hint: "K3s sets the roles of servers; label agents under a name of your own",
      },
    ];
  }
  const reserved = ["kubernetes.io", "k8s.io"].some((domain) => prefix === domain || prefix.endsWith(`.${domain}`));
  const allowed =
    KUBELET_LABELS.has(key) || KUBELET_PREFIXES.some((domain) => prefix === domain || prefix.endsWith(`.${domain}`));
  if (reserved && !allowed) {
    return [
      {
        path: at,
        problem: "is refused by Kubernetes: a kubelet may not set it under this prefix",
        hint: "allowed are node.kubernetes.io/…, kubelet.kubernetes.io/…, topology.kubernetes.io/region and …/zone, and names outside kubernetes.io and k8s.io",
      },
    ];
  }
  return [];
}

function checkValue(path: string, key: string, value: string): Problem[] {
  if (isLabelValue(value)) return [];
  return [
    {
      path: `${path}${labelStep(key)}`,
      problem: `must be a label value, not "${value}"`,
      hint: "at most 63 letters, digits, -, _ and ., with a letter or digit at both ends",
    },
  ];
}

/** Keys with dots are quoted in Pulumi's config paths. */
export const labelStep = (key: string): string => (/^[\w-]+$/.test(key) ? `.${key}` : `["${key}"]`);
