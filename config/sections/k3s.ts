import { z } from "zod";
import { boolean, duration, host, oneOf, sha256, text } from "../fields";
import { extraConfig } from "../k3sOptions";
import type { KeyMeta } from "../meta";
import { registriesSchema } from "./registries";

/** The K3s project publishes its releases here. */
export const K3S_RELEASES = "https://github.com/k3s-io/k3s/releases/download";

const SERVERS = "servers only";

const sums = (of: string, words: Pick<KeyMeta, "change" | "changeNote">) => {
  const otherwise = "the repository's pins, else the release's own list";
  const sum = (arch: string) => sha256.meta({ description: `SHA-256 of ${of} for ${arch}.`, otherwise, ...words });
  return z.strictObject({ amd64: sum("amd64").optional(), arm64: sum("arm64").optional() });
};

const artifactsSchema = z
  .strictObject({
    baseUrl: text("an http or https URL without credentials or a query", /^https?:\/\/[^\s?#@]+$/, {
      hint: "the URL of the folder that has one folder per version",
      example: K3S_RELEASES,
      hidden: true,
    })
      .meta({ description: "URL of the releases: a file is at `<baseUrl>/<version>/<file>`.", change: "none" })
      .transform((url) => url.replace(/\/+$/, ""))
      .prefault(K3S_RELEASES),
    file: text("the absolute path of a file k3s or k3s-arm64 on the Proxmox host", /^\/(?:[^\s/]+\/)*k3s(?:-arm64)?$/, {
      hint: "for example /var/lib/vz/k3s/v1.36.3+k3s1/k3s",
      example: "/var/lib/vz/k3s/v1.36.3+k3s1/k3s",
    })
      .meta({
        description:
          "Path of the K3s binary on the Proxmox host. The image archive must be in the same folder. The nodes then download nothing.",
        otherwise: "`baseUrl`",
        change: "none",
      })
      .optional(),
    sha256: sums("the K3s binary", { change: "k3sRestart", changeNote: "only if it names another binary" }).default({}),
    airgapImages: boolean
      .meta({ description: "Whether nodes also get the release's image archive.", change: "live" })
      .default(false),
    imagesSha256: sums("the image archive", { change: "live" }).default({}),
    requirePinned: boolean
      .meta({ description: "Whether the program refuses a release without recorded sums.", change: "none" })
      .default(false),
  })
  .meta({ description: "Where the files of the K3s release come from." });

const MODES = ["600", "640", "644"] as const;

/** `cluster.k3s`: the settings of K3s. */
export const k3sSchema = z
  .strictObject({
    artifacts: artifactsSchema.prefault({}),
    datastore: oneOf(["sqlite", "etcd"])
      .meta({
        description: "K3s' datastore: `sqlite` is a file on the only server; `etcd` is shared by all servers.",
        example: "etcd",
        otherwise: "`etcd` with several servers, else `sqlite`",
        change: "k3sRestart",
        changeNote: "to etcd: the server migrates its data; back to sqlite is refused",
        independent: true,
      })
      .optional(),
    disable: z
      .array(oneOf(["coredns", "servicelb", "traefik", "local-storage", "metrics-server", "runtimes"]))
      .meta({
        description: "Packaged components that K3s does not deploy.",
        example: ["traefik"],
        change: "k3sRestart",
        changeNote: SERVERS,
        independent: true,
      })
      .default([]),
    registries: registriesSchema.prefault({}),
    embeddedRegistry: boolean
      .meta({
        description:
          "Whether the nodes give each other the images that they have, before they ask a mirror or a registry (Spegel in K3s). It applies to the registries in `registries.mirrors`. With a firewall the nodes also reach each other's ports 5001 and 6443.",
        change: "k3sRestart",
        changeNote: "all nodes",
      })
      .default(false),
    kubeconfigMode: z
      .union([z.enum(MODES), z.literal(MODES.map(Number))])
      .meta({
        must: '"600", "640" or "644", in quotes',
        hint: "without quotes YAML reads 0644 as an octal number",
        example: "600",
        description: "Mode of `/etc/rancher/k3s/k3s.yaml` on the servers.",
        change: "k3sRestart",
        changeNote: SERVERS,
        independent: true,
      })
      .transform(String)
      .prefault("600"),
    tlsSans: z
      .array(host)
      .meta({
        description: "More names and addresses in the API server's certificate.",
        example: ["k3s.lan.example.org"],
        change: "k3sRestart",
        changeNote: SERVERS,
        independent: true,
      })
      .default([]),
    serverConfig: extraConfig
      .meta({
        description: "More K3s options for servers, with K3s' names.",
        example: { "flannel-backend": "host-gw" },
        change: "k3sRestart",
        changeNote: `${SERVERS}; if K3s rejects an option, the node keeps its old config`,
      })
      .default({}),
    agentConfig: extraConfig
      .meta({
        description: "More K3s options for agents, with K3s' names.",
        example: { "kubelet-arg": ["max-pods=60"] },
        change: "k3sRestart",
        changeNote: "agents only; if K3s rejects an option, the node keeps its old config",
      })
      .default({}),
    controlPlaneTaint: boolean
      .meta({
        description: "Whether servers have the control-plane taint, so that ordinary pods run only on agents.",
        otherwise: "true if there is a pool of agents",
        change: "k3sRestart",
        changeNote: SERVERS,
        independent: true,
      })
      .optional(),
    startTimeout: duration
      .meta({ description: "How long a start of K3s may take.", change: "none", independent: true })
      .prefault("10m"),
  })
  .meta({ description: "The settings of K3s." });
