import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

/* A link or a hint that names a page leads to one that exists, and to a heading that it has. */

const repo = path.join(__dirname, "../../..");
const read = (file: string): string => fs.readFileSync(path.join(repo, file), "utf8");
const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: repo, encoding: "utf8" })
  .split("\n")
  .filter((file) => file && fs.existsSync(path.join(repo, file)));

/** GitHub's anchors of a page's headings. */
const anchors = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

test.each(tracked.filter((file) => file.endsWith(".md")))("the links of %s", (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:|mailto:)([^)\s]*)\)/g)].map(([, link = ""]) => link);
  const broken = links.filter((link) => {
    if (link.startsWith("000M-")) return false; // the form of a decision
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? page : path.join(path.dirname(page), file);
    if (!fs.existsSync(path.join(repo, target))) return true;
    return anchor !== undefined && target.endsWith(".md") && !anchors(target).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test("hints in scripts and messages name pages and headings that exist", () => {
  const texts = tracked.filter((file) =>
    /^(scripts|cli|components|plan|config|remote|credentials)\/.*\.(ts|sh|pl)$/.test(file),
  );
  const named = texts.flatMap((file) =>
    [...read(file).matchAll(/(README|docs\/[\w/-]+\.md|SECURITY\.md|CONTRIBUTING\.md)(?:, \\?"([^"\\]+)\\?")?/g)].map(
      ([, page = "", heading]) => ({ page: page === "README" ? "README.md" : page, heading }),
    ),
  );
  expect(named.map(({ page }) => page)).toContain("docs/operations.md");
  const missing = named.filter(({ page, heading }) => {
    if (!tracked.includes(page)) return true;
    return (
      heading !== undefined && ![...read(page).matchAll(/^#+ (.+)$/gm)].some(([, title]) => title?.includes(heading))
    );
  });
  expect(missing).toEqual([]);
});
