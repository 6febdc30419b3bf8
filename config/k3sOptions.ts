import { z } from "zod";
import { text } from "./fields";

/** Keys of K3s's config file that the program writes itself, with the place of the setting that decides them, where there is one. */
export const OWNED_KEYS: Readonly<Record<string, string | undefined>> = {
  token: undefined,
  "token-file": undefined,
  "agent-token": undefined,
  "agent-token-file": undefined,
  server: undefined,
  "cluster-init": "cluster.k3s.datastore",
  "cluster-reset": undefined,
  "cluster-reset-restore-path": undefined,
  "data-dir": undefined,
  "with-node-id": undefined,
  "disable-agent": undefined,
  "https-listen-port": undefined,
  "node-name": "cluster.pools.<pool>.hostname",
  "node-ip": "cluster.pools.<pool>.addresses",
  "node-label": "cluster.pools.<pool>.labels",
  "node-taint": "cluster.pools.<pool>.taints",
  "tls-san": "cluster.k3s.tlsSans",
  disable: "cluster.k3s.disable",
  "write-kubeconfig": undefined,
  "write-kubeconfig-mode": "cluster.k3s.kubeconfigMode",
  "cluster-cidr": "cluster.network.podCidr",
  "service-cidr": "cluster.network.serviceCidr",
};

/** Keys whose value is a secret, which must be neither in the config nor in plain state; with the way that K3s offers instead. */
export const SECRET_KEYS: Readonly<Record<string, string>> = {
  "datastore-endpoint": "embedded etcd is the datastore that this program knows how to keep",
  "etcd-s3-access-key": "etcd-s3-config-secret names a Secret that holds it",
  "etcd-s3-secret-key": "etcd-s3-config-secret names a Secret that holds it",
  "vpn-auth": "vpn-auth-file names a file on the node that holds it",
};

/** Options that only a server knows: by name, and by the beginning of the name. */
export const SERVER_ONLY = {
  keys: new Set<string>([
    "advertise-address",
    "advertise-port",
    "cluster-dns",
    "cluster-domain",
    "default-local-storage-path",
    "disable-apiserver",
    "disable-cloud-controller",
    "disable-controller-manager",
    "disable-helm-controller",
    "disable-kube-proxy",
    "disable-network-policy",
    "disable-scheduler",
    "egress-selector-mode",
    "embedded-registry",
    "flannel-backend",
    "flannel-external-ip",
    "flannel-ipv6-masq",
    "helm-job-image",
    "kube-apiserver-arg",
    "kube-cloud-controller-manager-arg",
    "kube-controller-manager-arg",
    "kube-scheduler-arg",
    "secrets-encryption",
    "secrets-encryption-provider",
    "service-node-port-range",
    "servicelb-namespace",
    "supervisor-metrics",
    "tls-san-security",
    "write-kubeconfig-group",
  ]),
  pattern: /^(?:etcd|datastore|disable-etcd)(?:-|$)/,
} as const;

/** Whether only a server knows a key: an agent ends with "flag provided but not defined" (K3s, `pkg/cli/cmds/{server,agent}.go`). */
export const isServerOnly = (key: string): boolean => SERVER_ONLY.keys.has(key) || SERVER_ONLY.pattern.test(key);

const scalar = z.union([z.string(), z.number()]);

/** More keys for `/etc/rancher/k3s/config.yaml`, handed to K3s as they are. */
export const extraConfig = z.record(
  text("a key of K3s's config file", /^[a-z][a-z0-9-]*$/, {
    hint: "the flag's name without its dashes, for example flannel-backend",
    example: "flannel-backend",
  }).meta({ placeholder: "<option>" }),
  z.union([scalar, z.boolean(), z.array(scalar)]).meta({
    must: "a text, a number, true, false or a list of texts and numbers",
    example: "host-gw",
  }),
);
