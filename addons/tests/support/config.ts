import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";

import { changed } from "../../../tests/unit/config/support";
import { type Cluster, readCluster } from "../../plan/cluster";
import { loadSettings } from "../../plan/load";
import { type AddonsPlan, planAddons } from "../../plan/plan";
import { NOTHING, type Standing } from "../../plan/standing";

export { changed };

const FIXTURES = path.join(__dirname, "../fixtures");

/** A mistake: the config's difference from `base.yaml`, and every line of the refusal. */
export interface Mistake {
  readonly file: string;
  readonly mistake: string;
  /** JSON merge patch (RFC 7396) on the base config; null removes a key. */
  readonly change?: unknown;
  /** The whole config instead of a change. */
  readonly config?: unknown;
  /** The same for the outputs of the cluster's stack. */
  readonly outputs?: unknown;
  /** False if the JSON schema accepts it, because the mistake is not in a single value. */
  readonly schema?: false;
  readonly problems: readonly string[];
}

const read = (file: string): unknown => parse(fs.readFileSync(path.join(FIXTURES, file), "utf8")) as unknown;

/** A valid config with every add-on. */
export const baseConfig = (): unknown => read("base.yaml");

/** The outputs of a cluster's stack. */
export const baseOutputs = (): Record<string, unknown> => read("cluster.yaml") as Record<string, unknown>;

export function readMistakes(): Mistake[] {
  const files = fs.readdirSync(path.join(FIXTURES, "mistakes")).sort();
  return files.map((file) => ({ file, ...(read(`mistakes/${file}`) as Omit<Mistake, "file">) }));
}

export const configOf = ({ config, change }: Pick<Mistake, "config" | "change">): unknown =>
  change === undefined ? (config ?? baseConfig()) : changed(baseConfig(), change);

export const clusterOf = (outputs: unknown = {}): Cluster =>
  readCluster("organization/proxmox-k3s/homelab", changed(baseOutputs(), outputs) as Record<string, unknown>);

/**
 * The plan of a config on a cluster.
 * @param outputs merge patch on the cluster's outputs
 * @param standing what was last applied
 */
export const planOf = (config: unknown, outputs: unknown = {}, standing: Standing = NOTHING): AddonsPlan =>
  planAddons(loadSettings(config), clusterOf(outputs), [], standing);
