import * as fs from "node:fs";
import * as path from "node:path";

/**
 * Copies a chart's folder as `helm package` packs it: without what its `.helmignore` names (helm 3.18, `pkg/ignore`). In an
 * archive Helm ignores nothing, so it would install such a file.
 *
 * @throws Error for a pattern that only Helm supports
 */
export function copyChart(chart: string, to: string): void {
  const file = path.join(chart, ".helmignore");
  const own = fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n") : [];
  const rules = ["templates/.?*", ...own].flatMap(ruleOf);
  fs.cpSync(chart, to, {
    recursive: true,
    filter: (source) => {
      const at = path.relative(chart, source);
      return at === "" || !rules.some((rule) => names(rule, at, fs.statSync(source).isDirectory()));
    },
  });
}

interface Rule {
  readonly pattern: RegExp;
  /** Whether it is compared with the whole path, not only with the name. */
  readonly isPath: boolean;
  /** Whether it matches only folders. */
  readonly isFolder: boolean;
}

function ruleOf(line: string): Rule[] {
  const text = line.trim();
  if (text === "" || text.startsWith("#")) return [];
  if (text.includes("**") || text.startsWith("!"))
    throw new Error(`the chart's .helmignore has ${text}: pack the chart with \`helm package\``);
  const isFolder = text.endsWith("/");
  const glob = isFolder ? text.slice(0, -1) : text;
  return [{ pattern: patternOf(glob.replace(/^\//, "")), isPath: glob.includes("/"), isFolder }];
}

/** As Go's filepath.Match: `*` and `?` match no slash. */
function patternOf(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", "[^/]*").replaceAll("?", "[^/]")}$`);
}

const names = ({ pattern, isPath, isFolder }: Rule, at: string, isDirectory: boolean): boolean =>
  (isDirectory || !isFolder) && pattern.test(isPath ? at : path.basename(at));
