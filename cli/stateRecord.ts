import { z } from "zod";

import { recordIn } from "../components/recordIn";
import type { ClusterRecord } from "../plan/record";

const exported = z.object({
  deployment: z.object({
    resources: z
      .array(
        z.looseObject({
          urn: z.string(),
          type: z.string(),
          outputs: z.looseObject({}).nullish(),
          /** A resource that is replaced and still to be deleted. */
          delete: z.boolean().nullish(),
        }),
      )
      .nullish(),
  }),
});

/**
 * The cluster in a stack's state.
 * @param text what `pulumi stack export` printed
 */
export function recordInExport(text: string): ClusterRecord {
  const { resources } = exported.parse(JSON.parse(text)).deployment;
  const standing = (resources ?? []).filter((resource) => resource.delete !== true);
  return recordIn(
    Object.fromEntries(standing.map(({ urn, type, outputs }) => [urn, { type, outputs: outputs ?? {} }])),
  );
}
