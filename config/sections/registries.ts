import { z } from "zod";
import { boolean, LABEL, pemFile, text } from "../fields";

/** `cluster.k3s.registries`: K3s' `registries.yaml`, in the style of this config. */

const RESTART = { change: "k3sRestart", changeNote: "all nodes" } as const;

const PORT = ":(?:[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])";
const REGISTRY = `${LABEL}(?:\\.${LABEL})*(?:${PORT})?`;
const BARE = "without https:// and without a path";

/** A registry as image names have it. */
const mirrored = text(
  'the host name of a registry, with its port if it has one, or "*" for all registries',
  new RegExp(`^(?:\\*|${REGISTRY})$`),
  { hint: `for example docker.io, ${BARE}`, example: "docker.io" },
).meta({ placeholder: "<registry>" });

const configured = text("the host name of a registry, with its port if it has one", new RegExp(`^${REGISTRY}$`), {
  hint: `for example registry.lan:5000, ${BARE}`,
  example: "registry.lan:5000",
}).meta({ placeholder: "<registry>" });

const endpoint = text(
  "an http or https URL without credentials or a query",
  new RegExp(`^https?://${REGISTRY}(?:/[A-Za-z0-9._~%+,:-]+)*/?$`),
  { hint: "for example https://registry.lan:5000", example: "https://registry.lan:5000" },
);

/** Parts of regular expressions that JavaScript has and Go does not: lookarounds and backreferences. */
const FOREIGN = /\(\?<?[=!]|\\[1-9]/;

function isGoPattern(pattern: string): boolean {
  if (pattern === "" || FOREIGN.test(pattern)) return false;
  try {
    // Go's syntax for flags and names of groups.
    new RegExp(pattern.replace(/^\(\?[imsU]+\)/, "").replaceAll("(?P<", "(?<"));
    return true;
  } catch {
    return false;
  }
}

const pattern = z.string().refine(isGoPattern).meta({
  must: "a regular expression of Go, which has no lookarounds and no backreferences",
  hint: 'for example "^library/(.*)"',
  example: "^library/(.*)",
  placeholder: "<pattern>",
});

const mirror = z
  .strictObject({
    endpoints: z
      .array(endpoint)
      .meta({
        description:
          "URLs that a node asks for an image before the registry itself, in their order. A URL with a path replaces `/v2`.",
        example: ["https://registry.lan:5000"],
        ...RESTART,
        independent: true,
      })
      .default([]),
    rewrites: z
      .record(
        pattern,
        text("the path of an image, with $1 for the first group", /^[A-Za-z0-9._/${}-]+$/, {
          hint: "for example mirror/library/$1",
          example: "mirror/library/$1",
        }),
      )
      .meta({
        description:
          "Other paths of images at the endpoints: Go regular expressions, each with the replacement for its match.",
        example: { "^library/(.*)": "mirror/library/$1" },
        ...RESTART,
      })
      .default({}),
  })
  .meta({
    description:
      "Where nodes get the images of a registry. The key is the registry as images name it, for example `docker.io`.",
    hint: "write {} for a registry without endpoints",
  });

const config = z
  .strictObject({
    auth: boolean
      .meta({
        must: "true or false; user and password are in a secret of the stack",
        hint: "set auth: true, and pulumi config set --secret registryAuth < FILE (docs/registries.md). A password that was in this file is known to others: replace it",
        hidden: true,
        description:
          "Whether nodes log in to the registry, with the login in the stack's secret `registryAuth` ([docs/registries.md](registries.md)).",
        ...RESTART,
        independent: true,
      })
      .default(false),
    tls: z
      .strictObject({
        caFile: pemFile({
          hint: "for example certificates/registry.pem",
          example: "certificates/registry.pem",
        })
          .meta({
            description:
              "File with the CA that signs the registry's TLS certificate, on the machine that runs `pulumi up`. The nodes get a copy.",
            otherwise: "the CAs that the node's system trusts",
            ...RESTART,
          })
          .optional(),
        insecureSkipVerify: boolean
          .meta({
            description: "Whether nodes skip the verification of the registry's TLS certificate.",
            ...RESTART,
          })
          .default(false),
      })
      .prefault({}),
  })
  .meta({
    description:
      "How nodes connect to a registry or a mirror. The key is its host name, with its port if the URL has one, for example `registry.lan:5000`.",
  });

export const registriesSchema = z.strictObject({
  mirrors: z.record(mirrored, mirror).default({}),
  configs: z.record(configured, config).default({}),
});
