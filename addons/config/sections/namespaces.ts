import { z } from "zod";
import { HOSTNAME, oneOf, text } from "../../../config/fields";

/** The levels of Kubernetes' Pod Security Standards, from the least strict to the strictest. */
export const POD_SECURITY = ["privileged", "baseline", "restricted"] as const;
export type PodSecurity = (typeof POD_SECURITY)[number];

export const namespaceName = text(
  "an RFC 1123 label of at most 63 lowercase letters, digits and inner hyphens",
  HOSTNAME,
  {
    hint: "for example apps",
    example: "apps",
  },
);

/** `addons.namespaces`: namespaces for a person's own applications. */
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
    }),
  )
  .meta({
    description:
      "Namespaces for your applications. `pulumi up` makes them. Taking one out of the config deletes it with everything in it.",
  });
