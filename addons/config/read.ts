import type { Problem } from "../../config/problems";
import { isMap, readSection, unknownKey } from "../../config/section";
import { type Draft, sectionSchemas } from "./schema";

/** The config's name, as `pulumi config set --path` takes it. */
export const ROOT = "addons";

/** Reads section by section, so that a mistake in one hides no problem in another. The draft leaves out a section with a mistake. */
export function readAddons(raw: unknown): { draft: Draft; problems: Problem[] } {
  if (!isMap(raw)) {
    const problem = raw === undefined ? "is missing" : "must be a map";
    return { draft: {}, problems: [{ path: ROOT, problem, hint: "see Pulumi.example.yaml for an example" }] };
  }
  const known = Object.keys(sectionSchemas);
  const unknown = Object.keys(raw).filter((key) => !known.includes(key));
  const problems = unknown.map((key) => unknownKey(ROOT, key, known));
  const sections = Object.entries(sectionSchemas).map(
    ([name, schema]) => [name, readSection(schema, raw[name], `${ROOT}.${name}`, problems)] as const,
  );
  return { draft: Object.fromEntries(sections), problems };
}
