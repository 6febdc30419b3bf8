import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

import type { Standing } from "../plan/standing";

/** The engine's own function that reads the resources in a stack's state: type and outputs by URN. */
const READ = "pulumi:pulumi:readStackResourceOutputs";

const state = z.record(z.string(), z.object({ type: z.string(), outputs: z.unknown() }));
const release = z.object({ name: z.string(), values: z.record(z.string(), z.unknown()).default({}) });

/** Reads what the stack's state records. No request goes to the cluster. */
export async function readStanding(): Promise<Standing> {
  const stackName = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  const answer = (await pulumi.runtime.invoke(READ, { stackName })) as { readonly outputs?: unknown };
  const releases = Object.values(state.parse(answer.outputs)).filter(
    ({ type }) => type === "kubernetes:helm.sh/v3:Release",
  );
  const read = releases.map(({ outputs }) => release.safeParse(outputs)).flatMap(({ data }) => (data ? [data] : []));
  return { releases: Object.fromEntries(read.map(({ name, values }) => [name, values])) };
}
