import { randomBytes } from "node:crypto";

import * as pulumi from "@pulumi/pulumi";

import { descriptionOf, markText } from "../../plan/mark";

/** The mark of this stack's guests; {@link markText} explains it. */
export function markOf(cluster: string, clusterId: pulumi.Input<string>): pulumi.Output<string> {
  const [project, stack] = [pulumi.getProject(), pulumi.getStack()];
  return pulumi.output(clusterId).apply((id) => markText({ project, stack, cluster, clusterId: id }));
}

/**
 * The description of a guest that is created now: `creation 5f3a9c1e0b7d4421 of <mark>`.
 *
 * The id is new in each run, so the guest's resource must ignore changes of its description. Then a guest keeps the id of its
 * creation, and a guest that is created again has another one (docs/decisions/0004). A preview does not know the id.
 */
export function describe(mark: pulumi.Output<string>): pulumi.Output<string> {
  if (pulumi.runtime.isDryRun()) return pulumi.output(pulumi.unknown) as unknown as pulumi.Output<string>;
  const creation = randomBytes(8).toString("hex");
  return mark.apply((text) => descriptionOf(creation, text));
}
