import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { z } from "zod";

import { ConfigError, loadPlan } from "../../plan/load";
import type { ClusterPlan } from "../../plan/model";
import { clusterRecordOf } from "../../plan/record";
import { PROGRAM } from "../pulumi";
import { nameOf } from "../../plan/urn";
import { PROJECT } from "../stack";
import { exportState } from "../state";
import type { Former } from "./review";

/**
 * The cluster as the stack's state records it. The export leaves secrets encrypted, so no passphrase is needed.
 * @throws Error with Pulumi's message
 */
export async function formerByState(stack: string): Promise<Former> {
  const { record, open } = await exportState(["--stack", stack]);
  return { record: record(), source: { kind: "state", stack }, unfinished: open.map(({ urn }) => nameOf(urn)) };
}

/**
 * The cluster as another stack file describes it. A file without a cluster is a first `up`.
 * @throws Error if it cannot be read, or planned
 */
export function formerByFile(file: string): Former {
  const cluster = clusterIn(file);
  const record = cluster === undefined ? { clusters: [], nodes: [] } : clusterRecordOf(planIn(file, cluster));
  return { record, source: { kind: "file", file }, unfinished: [] };
}

function planIn(file: string, cluster: unknown): ClusterPlan {
  try {
    return loadPlan(cluster);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Error(`${file}, which the change is to be compared with, cannot be planned:\n${error.message}`, {
      cause: error,
    });
  }
}

/** The stack's file. The name of a stack may start with its organization and project. */
export const stackFile = (stack: string): string =>
  path.join(PROGRAM, `Pulumi.${stack.slice(stack.lastIndexOf("/") + 1)}.yaml`);

/**
 * The object under `<project>:cluster` in a stack file, not checked; undefined if it has none.
 * @throws Error if the file cannot be read, or has the cluster as a secret
 */
export const clusterIn = (file: string): unknown =>
  clusterInText(path.basename(file), () => fs.readFileSync(file, "utf8"));

/** The same for a text. @param name the name of the text in errors */
export function clusterInText(name: string, text: () => string): unknown {
  let content: unknown;
  try {
    content = parse(text());
  } catch (error) {
    throw new Error(`${name} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const { config } =
    z
      .looseObject({ config: z.record(z.string(), z.unknown()).nullish() })
      .nullish()
      .parse(content) ?? {};
  const cluster = config?.[`${PROJECT}:cluster`];
  if (z.strictObject({ secure: z.string() }).safeParse(cluster).success)
    throw new Error(`${name} holds the cluster as a secret, which a preview without secrets cannot read`);
  return cluster;
}
