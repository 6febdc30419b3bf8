import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

const repo = path.join(__dirname, "../../..");
const page = fs.readFileSync(path.join(repo, "docs/trouble.md"), "utf8");
const table = page.split("## By the text that you see")[1]!.split("\n## ")[0]!;
const rows = [...table.matchAll(/^\| (.+?) +\| (.+?) +\| (.+?) +\|$/gm)]
  .map(([, seen = "", who = ""]) => ({ seen, who }))
  .filter(({ seen }) => seen.startsWith("`"));
const folders = ["scripts", "remote", "cli", "plan", "credentials", "components", "config"];
const sources = execFileSync("git", ["ls-files", ...folders], { cwd: repo, encoding: "utf8" })
  .trim()
  .split("\n")
  .map((file) => fs.readFileSync(path.join(repo, file), "utf8"));

test("each row of the page about trouble has a form that this test can read", () => {
  expect(rows.length).toBeGreaterThan(20);
  expect(rows).toHaveLength(table.match(/^\| `/gm)!.length);
  expect([...new Set(rows.map(({ who }) => who))]).toEqual(["this program", "Pulumi", "Proxmox VE", "kubectl"]);
});

test.each(rows.filter(({ who }) => who === "this program").map(({ seen }) => [seen]))(
  "a message on the page is one of the program: %s",
  (seen) => {
    const texts = [...seen.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);
    for (const piece of texts.flatMap((text) => text.split("…").map((part) => part.trim())).filter((p) => p.length > 1))
      expect([piece, sources.some((source) => source.includes(piece))]).toEqual([piece, true]);
  },
);
