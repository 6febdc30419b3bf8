import { z } from "zod";
import { integer, text } from "../../../config/fields";

const HOST = "[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?";

/** `addons.tailscale`: a subnet router of Tailscale for the pod and the service network. */
export const tailscaleSchema = z
  .strictObject({
    image: text(
      "an image with its registry, tag and digest",
      new RegExp(`^${HOST}(?::\\d{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+:[\\w][\\w.-]{0,127}@sha256:[0-9a-f]{64}$`),
      {
        hint: "for example ghcr.io/tailscale/tailscale:v1.102.3@sha256:…; `skopeo inspect docker://IMAGE` prints the digest",
        example: `ghcr.io/tailscale/tailscale:v1.102.3@sha256:${"0".repeat(64)}`,
      },
    ).meta({ description: "Tailscale's image, pinned: nobody can change what was reviewed." }),
    replicas: integer(1, 3, { example: 2 })
      .meta({
        description:
          "How many routers there are, if possible on different nodes. With more than one, Tailscale uses another if one fails.",
        independent: true,
      })
      .default(1),
    tags: z
      .array(
        text("a tag in the form tag:NAME", /^tag:[A-Za-z][A-Za-z0-9-]*$/, {
          hint: "the access controls of the tailnet must name its owner; for example tag:k3s",
          example: "tag:k3s",
        }),
      )
      .meta({
        description: "Tags that the routers ask for; a key that has tags needs none here.",
        example: ["tag:k3s"],
        independent: true,
      })
      .default([]),
    loginServer: text("an https URL", new RegExp(`^https://${HOST}(?::\\d{1,5})?/?$`), {
      hint: "for example https://headscale.example.org",
      example: "https://headscale.example.org",
    })
      .meta({ description: "The control server, if it is your own.", otherwise: "Tailscale's" })
      .optional(),
  })
  .meta({
    description:
      "Routes of a tailnet to the pods and services of the cluster. The routers log in with the secret `tailscaleAuthKey`.",
  });

export type TailscaleSettings = z.output<typeof tailscaleSchema>;
