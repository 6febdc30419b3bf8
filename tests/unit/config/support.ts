import fs from "node:fs";
import path from "node:path";
import { parse } from "yaml";

const FIXTURES = path.join(__dirname, "fixtures");

/** A mistake: a config by its difference from `base.yaml`, and every line of the error about it. */
export interface Mistake {
  readonly file: string;
  readonly mistake: string;
  /** JSON merge patch (RFC 7396) on the base config: null removes. */
  readonly change?: unknown;
  /** The whole config, instead of a change. */
  readonly config?: unknown;
  readonly problems: readonly string[];
}

export function readYaml(file: string): unknown {
  return parse(fs.readFileSync(file, "utf8"));
}

/** A valid config with one of everything. */
export const baseConfig = (): unknown => readYaml(path.join(FIXTURES, "base.yaml"));

export function readMistakes(): Mistake[] {
  const files = fs.readdirSync(FIXTURES).filter((file) => file.endsWith(".yaml") && file !== "base.yaml");
  return files.sort().map((file) => ({ file, ...(readYaml(path.join(FIXTURES, file)) as Omit<Mistake, "file">) }));
}

export function configOf({ config, change }: Pick<Mistake, "config" | "change">): unknown {
  return change === undefined ? config : changed(baseConfig(), change);
}

/** JSON merge patch, RFC 7396. */
export function changed(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const result: Record<string, unknown> = isMap(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = changed(result[key], value);
  }
  return result;
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What `Pulumi.homelab.yaml` has under `proxmox-k3s:cluster`, in the form that Pulumi sends to the program. */
export function homelabConfig(): unknown {
  const stack = readYaml(path.join(__dirname, "../../../Pulumi.homelab.yaml")) as { config: Record<string, unknown> };
  return stack.config["proxmox-k3s:cluster"];
}
