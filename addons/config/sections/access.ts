import { z } from "zod";
import { text } from "../../../config/fields";

const DNS = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

/** A subject of a role binding. */
const subject = text(
  "user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME",
  new RegExp(`^(?:(?:user|group):(?!system:)[^\\s:][^\\s]*|serviceaccount:${DNS}/${DNS}(?:\\.${DNS})*)$`),
  { hint: "for example group:family; names with system: are Kubernetes' own", example: "user:anna@example.org" },
);

/** `addons.access`: who may look at the cluster, and who may operate it, without being its admin. */
export const accessSchema = z
  .strictObject({
    viewers: z
      .array(subject)
      .meta({
        description: "Who may read everything but secrets.",
        example: ["group:family"],
        independent: true,
      })
      .default([]),
    operators: z
      .array(subject)
      .meta({
        description:
          "Who may also restart and evict pods, scale, and cordon and drain nodes. They read no secrets, open no shell in a pod, and change nothing else.",
        example: ["user:anna@example.org"],
        independent: true,
      })
      .default([]),
  })
  .meta({ description: "Roles for people who are not admins. The kubeconfig of the cluster's stack is an admin's." });

export type AccessSettings = z.output<typeof accessSchema>;
