import * as pulumi from "@pulumi/pulumi";

/**
 * The name under which the API server records the fields that this program sets (server-side apply). Without it the provider
 * invents one for each object and forgets it if `up` is killed while it creates the object: the next `up` then conflicts with
 * the fields that the first one set. Fields that somebody else has set are still a conflict, and are never overwritten.
 */
export const FIELD_MANAGER = "proxmox-k3s-addons";

/** Has no metadata of its own, because Helm creates the objects. */
const RELEASE = "kubernetes:helm.sh/v3:Release";

/**
 * Settings of every Kubernetes object of the program, in one place: the field manager, a label with the program's name, and a
 * time limit.
 * @param seconds how long to wait for a resource; a resource may have its own limit
 */
export function objectDefaults(seconds: number): pulumi.ResourceTransformation {
  const bound = `${seconds}s`;
  const customTimeouts = { create: bound, update: bound, delete: bound };
  return ({ type, props, opts }) => {
    if (!type.startsWith("kubernetes:")) return undefined;
    const bounded = { ...opts, customTimeouts: { ...customTimeouts, ...opts.customTimeouts } };
    return { props: type === RELEASE ? props : withOwner(props), opts: bounded };
  };
}

interface ObjectProps {
  readonly metadata?: {
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

const withOwner = ({ metadata, ...props }: ObjectProps) => ({
  ...props,
  metadata: {
    ...metadata,
    annotations: { ...metadata?.annotations, "pulumi.com/patchFieldManager": FIELD_MANAGER },
    labels: { ...metadata?.labels, "app.kubernetes.io/managed-by": FIELD_MANAGER },
  },
});
