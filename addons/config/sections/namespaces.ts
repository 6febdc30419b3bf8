import { z } from "zod";
import { boolean, cidr, HOSTNAME, integer, oneOf, text } from "../../../config/fields";

/** The levels of Kubernetes' Pod Security Standards, from the least strict to the strictest. */
export const POD_SECURITY = ["privileged", "baseline", "restricted"] as const;
export type PodSecurity = (typeof POD_SECURITY)[number];

export const namespaceName = text(
  "an RFC 1123 label of at most 63 lowercase letters, digits and inner hyphens",
  HOSTNAME,
  { hint: "for example apps", example: "apps" },
);

/** Addresses outside the cluster that pods may open connections to. */
const destination = z.strictObject({
  cidr: cidr.meta({ description: "The network of the destination; one address has the prefix /32." }),
  ports: z
    .array(integer(1, 65_535))
    .meta({ description: "TCP ports of the destination.", example: [5432], otherwise: "all ports, TCP and UDP" })
    .optional(),
});

/** Connections that are allowed in spite of the default denial. */
const allowSchema = z.strictObject({
  ingress: boolean
    .meta({ description: "Whether the ingress controller (Traefik) may connect to the pods.", independent: true })
    .default(false),
  from: z
    .array(namespaceName)
    .meta({
      description: "Other namespaces whose pods may connect to the pods, for example that of the monitoring.",
      example: ["monitoring"],
      independent: true,
    })
    .default([]),
  to: z
    .array(namespaceName)
    .meta({
      description: "Other namespaces whose pods the pods may connect to. These must allow it as well, with `from`.",
      example: ["databases"],
      independent: true,
    })
    .default([]),
  outside: boolean
    .meta({
      description:
        "Whether the pods may connect to addresses outside the cluster: your network and the internet, but not the nodes.",
      independent: true,
    })
    .default(false),
  destinations: z
    .array(destination)
    .meta({
      description:
        "Single destinations outside the cluster that the pods may connect to, each with `cidr` and `ports`.",
      example: [{ cidr: "192.168.2.40/32", ports: [5432] }],
      independent: true,
    })
    .default([]),
  api: boolean
    .meta({ description: "Whether the pods may connect to the Kubernetes API.", independent: true })
    .default(false),
});

export type AllowSettings = z.output<typeof allowSchema>;

/** `addons.namespaces`: namespaces for the user's own applications. */
export const namespacesSchema = z
  .record(
    namespaceName.meta({ placeholder: "<namespace>" }),
    z.strictObject({
      podSecurity: oneOf(POD_SECURITY)
        .meta({
          description:
            "The level of the Pod Security Standards that the API server enforces. A pod that asks for more is refused.",
          independent: true,
        })
        .default("restricted"),
      isolated: boolean
        .meta({
          description:
            "Whether NetworkPolicies refuse all connections to and from the pods, except between the pods of the namespace, DNS, and what `allow` lists.",
        })
        .default(true),
      allow: allowSchema.prefault({}),
    }),
  )
  .meta({
    description:
      "Namespaces for your applications. `pulumi up` creates them. If you remove one from the config, it is deleted with everything in it.",
  });

export type NamespaceSettings = z.output<typeof namespacesSchema>[string];
