import { z } from "zod";
import { boolean, duration, hostname, oneOf, text } from "../../../config/fields";
import { chartSchema } from "./chart";

const DNS = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*";

/** A folder of the Git repository. A node's folder may contain placeholders for the node's name or pool. */
const folder = (must: string, placeholders: string) =>
  text(must, new RegExp(`^\\./(?:(?:[\\w-]|${placeholders})(?:[\\w.-]|${placeholders})*/?)*$`));

const interval = (example: string) => duration.meta({ example });

/** `addons.flux`: Flux' source and kustomize controllers, and what they apply. */
export const fluxSchema = z
  .strictObject({
    install: oneOf(["chart", "none"]).meta({
      description:
        "`chart` installs Flux' source-controller and kustomize-controller from `chart` in the namespace `flux-system`. `none` uses a Flux that is there already.",
    }),
    chart: chartSchema("oci://ghcr.io/fluxcd-community/charts/flux2", "2.18.3").optional().meta({
      description: "The community's chart `flux2`; only with `install: chart`.",
    }),
    git: z
      .strictObject({
        url: text(
          "an https or ssh URL without a password",
          new RegExp(`^(?:https://|ssh://(?:[\\w.-]+@)?)${DNS}(?::\\d+)?/[\\w./~-]+$`),
          {
            hint: "for example ssh://git@github.com/you/homelab.git; a token is secret config, see docs/addons.md",
            example: "https://github.com/you/homelab.git",
            hidden: true,
          },
        ).meta({ description: "The Git repository." }),
        branch: text("the name of a branch", /^(?!-)[\w./-]+$/, { example: "main" })
          .meta({ description: "The branch.", independent: true })
          .default("main"),
        interval: interval("1m")
          .meta({ description: "How often Flux looks for new commits.", independent: true })
          .prefault("1m"),
        knownHosts: text("lines of a known_hosts file", /^[\w.[\]:,-]+ (?:ssh|ecdsa)-[^\n]+(?:\n[^\n]*)*$/, {
          hint: "as `ssh-keyscan HOST` prints them; compare them with what the host publishes",
          example: "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        })
          .meta({ description: "The host keys of the Git server; required for an ssh URL.", otherwise: "none" })
          .optional(),
        ca: text(
          "PEM certificates",
          /^(?:\s*-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----\s*)+$/,
          {
            hint: "the lines from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, after `ca: |`",
            example: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            hidden: true,
          },
        )
          .meta({
            description:
              "The CA that signs the TLS certificate of the Git server, if it is one of your own; only for an https URL.",
            otherwise: "the CAs in the image of source-controller",
            independent: true,
          })
          .optional(),
      })
      .meta({ description: "Where Flux reads from." }),
    path: folder("a folder of the repository, from ./", "(?!)")
      .meta({
        description: "The folder that Flux applies for the whole cluster.",
        example: "./cluster",
        independent: true,
      })
      .default("./"),
    interval: interval("10m")
      .meta({
        description: "How often Flux applies everything again, also without a new commit. It undoes changes by hand.",
        independent: true,
      })
      .prefault("10m"),
    sops: boolean
      .meta({
        description:
          "Whether Flux decrypts SOPS files with the age key in the secret config `sopsAgeKey`. Secrets in the repository are then safe in public.",
      })
      .default(false),
    nodes: z
      .strictObject({
        path: folder("a folder of the repository, from ./, with {name} or {pool} or without", "\\{name\\}|\\{pool\\}")
          .meta({
            description:
              "The folder that Flux applies once for each node. {name} and {pool} are replaced by those of the node. In its files, ${node_name}, ${node_address}, ${node_pool} and ${node_role} are replaced.",
            example: "./nodes/{name}",
            independent: true,
          })
          .default("./node"),
        suspended: z
          .array(hostname)
          .meta({
            description: "Nodes whose folder Flux does not apply for now. What it has already applied stays.",
            example: ["k3s-worker-02"],
            independent: true,
          })
          .default([]),
      })
      .optional()
      .meta({ description: "What Flux applies for each node: when it joined, until it leaves." }),
  })
  .meta({ description: "GitOps: Flux applies what is in a Git repository." });

export type FluxSettings = z.output<typeof fluxSchema>;
