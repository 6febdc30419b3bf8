import * as fs from "node:fs";
import * as path from "node:path";

const REPOSITORY = path.join(__dirname, "..");

/** GitHub's anchors of a page's headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/**
 * The links of a page to a file of the repository, or to a heading, that does not exist.
 * @param page its path in the repository
 */
export function deadLinks(page: string, text: string): string[] {
  const links = [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s]*)\)/g)].map(([, link = ""]) => link);
  return links.filter((link) => {
    if (link.startsWith("000M-")) return false; // the form of a decision
    const [file = "", anchor] = link.split("#");
    if (file === "") return !anchors(text).includes(anchor ?? "");
    const target = path.join(REPOSITORY, path.dirname(page), file);
    if (!fs.existsSync(target)) return true;
    if (anchor === undefined || !target.endsWith(".md")) return false;
    return !anchors(fs.readFileSync(target, "utf8")).includes(anchor);
  });
}
