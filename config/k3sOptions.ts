import { z } from "zod";
import { text } from "./fields";
import options from "./k3s-options.json";

/** Keys of K3s' config file that the program itself writes, each with the setting to use instead, if there is one. */
export const OWNED_KEYS: Readonly<Record<string, string | undefined>> = {
  config: undefined,
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
  "embedded-registry": "cluster.k3s.embeddedRegistry",
  "write-kubeconfig": undefined,
  "write-kubeconfig-mode": "cluster.k3s.kubeconfigMode",
  "cluster-cidr": "cluster.network.podCidr",
  "service-cidr": "cluster.network.serviceCidr",
};

/** Keys whose value is a secret, which must not be in plain text in config or state, each with K3s' alternative. */
export const SECRET_KEYS: Readonly<Record<string, string>> = {
  "datastore-endpoint": "the program supports only SQLite and embedded etcd",
  "etcd-s3-access-key": "use etcd-s3-config-secret with the name of a Kubernetes Secret",
  "etcd-s3-secret-key": "use etcd-s3-config-secret with the name of a Kubernetes Secret",
  "etcd-s3-session-token": "use etcd-s3-config-secret with the name of a Kubernetes Secret",
  "vpn-auth": "use vpn-auth-file with the path of a file on the node",
};

/** The options of K3s servers and agents, and the full names of one-letter options. */
export const K3S_OPTIONS: {
  readonly server: readonly string[];
  readonly agent: readonly string[];
  readonly short: Readonly<Record<string, string>>;
} = options;

const scalar = z.union([z.string(), z.number()]);

/** More keys for `/etc/rancher/k3s/config.yaml`, passed to K3s unchanged. */
export const extraConfig = z.record(
  text("a key of K3s's config file", /^[a-z][a-z0-9-]*$/, {
    hint: "the flag's name without its dashes, for example flannel-backend",
    example: "flannel-backend",
  }).meta({ placeholder: "<option>" }),
  z.union([scalar, z.boolean(), z.array(scalar)]).meta({
    must: "a text, a number, true, false or a list of texts and numbers",
    example: "host-gw",
    hidden: true,
  }),
);
