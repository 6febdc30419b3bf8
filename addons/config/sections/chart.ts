import { z } from "zod";
import { text } from "../../../config/fields";

/** The SHA-256 of an OCI manifest or of an archive, as Helm and registries print it. */
const digest = text("sha256: and 64 hex digits in lowercase letters", /^sha256:[0-9a-f]{64}$/, {
  hint: "`helm pull` prints it for an OCI reference; `sha256sum` prints it for an archive",
  example: `sha256:${"0".repeat(64)}`,
});

/**
 * A Helm chart, pinned: after a review, nobody can change the content of a version. The program has no default, because it would
 * have to follow the charts' releases.
 * @param reference of the chart in its vendor's registry, for the examples; the path of an archive if it is in no registry
 * @param version of the chart, for the examples
 */
export const chartSchema = (reference: string, version: string) =>
  z.strictObject({
    source: text(
      "an OCI reference without tag and digest, or the path of an archive (.tgz)",
      /^(?:oci:\/\/[a-z0-9.-]+(?::\d+)?(?:\/[a-z0-9._-]+)+|(?!oci:)[\w./-]+\.tgz)$/,
      {
        hint: reference.startsWith("oci://")
          ? `for example ${reference}, or charts/NAME.tgz in the folder addons/`
          : `for example ${reference} in the folder addons/`,
        example: reference,
      },
    ).meta({ description: "Where the chart is: an OCI registry, or an archive below `addons/`." }),
    version: text("a version in the form X.Y.Z", /^\d+\.\d+\.\d+(?:[-+][\w.-]+)?$/, {
      hint: `for example ${version}`,
      example: version,
    }).meta({ description: "The version of the chart." }),
    digest: digest.meta({
      description: "The digest of the chart. A chart with another content is refused.",
    }),
  });

export type ChartSettings = z.output<ReturnType<typeof chartSchema>>;
