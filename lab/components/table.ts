import * as path from "node:path";

/** A program that runs in clusters of users, built from its public Go module. */
export interface Component {
  /** Folder below `modules/` with the go.mod that pins it. */
  readonly folder: string;
  /** Its Go module. */
  readonly module: string;
  /** The module's version, as the folder's go.mod has it. */
  readonly version: string;
  /** Package to build, as `go build` takes it in that folder. */
  readonly package: string;
  readonly tags?: readonly string[];
  /** String variables that the vendor's own build sets. */
  readonly set?: Readonly<Record<string, string>>;
  /** Undefined for a program that runs on no node. */
  readonly image?: ComponentImage;
}

/** An image with the vendor's name, and with files at the paths that charts and manifests name. */
export interface ComponentImage {
  /** The vendor's name and tag. */
  readonly name: string;
  /** Path of the program in the image; it is the entry point. */
  readonly program: string;
  /** Number of the user that it runs as; root by default. */
  readonly user?: string;
  /** All Debian packages that are unpacked into it; dependencies are not added. */
  readonly packages?: readonly string[];
  /** Links that these packages' scripts would make: path to target. */
  readonly links?: Readonly<Record<string, string>>;
  /** Folders that everybody may write to, as /tmp. */
  readonly open?: readonly string[];
}

/** The variable of prometheus/common that has a program's version. */
const versionOf = (version: string) => ({ "github.com/prometheus/common/version.Version": version });

const NOBODY = "65534";

const table = {
  coredns: {
    folder: "coredns",
    module: "github.com/coredns/coredns",
    version: "v1.15.0",
    // A main of ours, with the plugins that K3s' Corefile names.
    package: ".",
    // As root: any other user needs a file capability for port 53, which an archive lacks. The manifest drops all others of root.
    image: { name: "docker.io/coredns/coredns:1.15.0", program: "/coredns" },
  },
  /** K3s contains a fork of its policy controller. */
  "kube-router": {
    folder: "kube-router",
    module: "github.com/cloudnativelabs/kube-router/v2",
    version: "v2.1.0",
    package: "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
    set: { "github.com/cloudnativelabs/kube-router/v2/pkg/version.Version": "v2.1.0" },
    image: {
      name: "docker.io/cloudnativelabs/kube-router:v2.1.0",
      program: "/usr/local/bin/kube-router",
      packages: [
        ...["iptables", "libip4tc2", "libip6tc2", "libxtables12", "libnftnl11", "libmnl0"],
        ...["libnetfilter-conntrack3", "libnfnetlink0", "ipset", "libipset13", "libc6"],
      ],
      links: Object.fromEntries(
        ["iptables", "ip6tables"].flatMap((name) =>
          ["", "-save", "-restore"].map((verb) => [`usr/sbin/${name}${verb}`, "xtables-nft-multi"]),
        ),
      ),
    },
  },
  traefik: {
    folder: "traefik",
    module: "github.com/traefik/traefik/v3",
    version: "v3.6.12",
    package: "github.com/traefik/traefik/v3/cmd/traefik",
    set: { "github.com/traefik/traefik/v3/pkg/version.Version": "3.6.12" },
    image: { name: "docker.io/library/traefik:v3.6.12", program: "/traefik" },
  },
  "source-controller": {
    folder: "source-controller",
    module: "github.com/fluxcd/source-controller",
    version: "v1.9.6",
    package: "github.com/fluxcd/source-controller",
    image: {
      name: "ghcr.io/fluxcd/source-controller:v1.9.6",
      program: "/usr/local/bin/source-controller",
      user: `${NOBODY}:${NOBODY}`,
    },
  },
  /** Without GnuPG, which the vendor's image has: secrets are decrypted with age. */
  "kustomize-controller": {
    folder: "kustomize-controller",
    module: "github.com/fluxcd/kustomize-controller",
    version: "v1.9.6",
    package: "github.com/fluxcd/kustomize-controller",
    image: {
      name: "ghcr.io/fluxcd/kustomize-controller:v1.9.6",
      program: "/usr/local/bin/kustomize-controller",
      user: `${NOBODY}:${NOBODY}`,
    },
  },
  sops: {
    folder: "sops",
    module: "github.com/getsops/sops/v3",
    version: "v3.13.3",
    package: "github.com/getsops/sops/v3/cmd/sops",
  },
  "node-exporter": {
    folder: "node-exporter",
    module: "github.com/prometheus/node_exporter",
    version: "v1.12.1",
    package: "github.com/prometheus/node_exporter",
    set: versionOf("1.12.1"),
    image: { name: "quay.io/prometheus/node-exporter:v1.12.1", program: "/bin/node_exporter", user: NOBODY },
  },
  "prometheus-operator": {
    folder: "prometheus-operator",
    module: "github.com/prometheus-operator/prometheus-operator",
    version: "v0.85.0",
    package: "github.com/prometheus-operator/prometheus-operator/cmd/operator",
    set: versionOf("0.85.0"),
    image: {
      name: "quay.io/prometheus-operator/prometheus-operator:v0.85.0",
      program: "/bin/operator",
      user: NOBODY,
    },
  },
  "prometheus-config-reloader": {
    folder: "prometheus-operator",
    module: "github.com/prometheus-operator/prometheus-operator",
    version: "v0.85.0",
    package: "github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
    set: versionOf("0.85.0"),
    image: {
      name: "quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0",
      program: "/bin/prometheus-config-reloader",
      user: NOBODY,
    },
  },
  /** Prometheus 3.16. Of its service discoveries it has only that of Kubernetes: the others double the build time. */
  prometheus: {
    folder: "prometheus",
    module: "github.com/prometheus/prometheus",
    version: "v0.316.0",
    package: "github.com/prometheus/prometheus/cmd/prometheus",
    tags: ["remove_all_sd", "enable_kubernetes_sd", "netgo"],
    set: versionOf("3.16.0"),
    image: {
      name: "quay.io/prometheus/prometheus:v3.16.0",
      program: "/bin/prometheus",
      user: NOBODY,
      open: ["prometheus"],
    },
  },
} as const satisfies Readonly<Record<string, Component>>;

/** The vendor's name of a component. */
export type ComponentName = keyof typeof table;

export const components: Readonly<Record<ComponentName, Component>> = table;

/** In the order in which they are built: those that most tests need come first. */
export const componentNames = Object.keys(table) as ComponentName[];

/** Folder of a component's go.mod. */
export function componentModule(name: ComponentName): string {
  return path.join(__dirname, "modules", components[name].folder);
}
