import * as fs from "node:fs";
import * as path from "node:path";

/**
 * The Debian mirror that this machine installs from, so that the images use the same mirror as its packages.
 *
 * Reads one-line and deb822 sources. A source counts if it has a release (no security or backports suite) and the
 * component `main`. One whose address ends in `/debian`, as Debian's own do, comes before another vendor's.
 *
 * @throws Error if no source names one.
 */
export function aptMirror(etcApt = "/etc/apt"): string {
  const archives = sourceFiles(etcApt)
    .flatMap(readSources)
    .filter(({ components, suites }) => components.includes("main") && suites.some((suite) => /^[a-z]+$/.test(suite)));
  const archive = archives.find(({ uri }) => /\/debian\/?$/.test(uri)) ?? archives[0];
  if (archive) return archive.uri;
  throw new Error(`No Debian archive in ${etcApt}: the lab builds its images from the machine's own mirror.`);
}

interface Source {
  uri: string;
  suites: string[];
  components: string[];
}

function sourceFiles(etcApt: string): string[] {
  const folder = path.join(etcApt, "sources.list.d");
  const parts = fs.existsSync(folder) ? fs.readdirSync(folder).sort() : [];
  return [path.join(etcApt, "sources.list"), ...parts.map((part) => path.join(folder, part))].filter((file) =>
    fs.existsSync(file),
  );
}

function readSources(file: string): Source[] {
  const text = fs.readFileSync(file, "utf8").replace(/^\s*#.*\n/gm, "");
  return file.endsWith(".sources") ? text.split(/\n\s*\n/).flatMap(readStanza) : text.split("\n").flatMap(readLine);
}

/** `deb [options] uri suite component…` */
function readLine(line: string): Source[] {
  const match = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)$/.exec(line.trim());
  return match ? [{ uri: match[1]!, suites: [match[2]!], components: match[3]!.split(/\s+/) }] : [];
}

function readStanza(stanza: string): Source[] {
  const field = (name: string) => words(new RegExp(`^${name}:(.*)$`, "im").exec(stanza)?.[1]);
  if (!field("Types").includes("deb") || field("Enabled").includes("no")) return [];
  return field("URIs").map((uri) => ({ uri, suites: field("Suites"), components: field("Components") }));
}

function words(text: string | undefined): string[] {
  return (text ?? "").split(/\s+/).filter(Boolean);
}
