import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { deadLinks } from "../../../scripts-dev/pageLinks";

/* A link or a hint that names a page leads to an existing page, and to an existing heading. */

const repo = path.join(__dirname, "../../..");
const read = (file: string): string => fs.readFileSync(path.join(repo, file), "utf8");
const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: repo, encoding: "utf8" })
  .split("\n")
  .filter((file) => file && fs.existsSync(path.join(repo, file)));

test.each(tracked.filter((file) => file.endsWith(".md")))("the links of %s", (page) => {
  expect(deadLinks(page, read(page))).toEqual([]);
});

test("a link to a missing file, or to a missing heading of its own or another page, is found", () => {
  const links = ["gone.md", "nodes.md", "nodes.md#servers", "nodes.md#no-such", "#here", "#not-here", "../README.md"];
  const text = `# Here\n${links.map((link) => `[a](${link})`).join(" ")}`;
  expect(deadLinks("docs/page.md", text)).toEqual(["gone.md", "nodes.md#no-such", "#not-here"]);
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
