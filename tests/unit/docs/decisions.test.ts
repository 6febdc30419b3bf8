import * as fs from "node:fs";
import * as path from "node:path";

const folder = path.join(__dirname, "../../../docs/decisions");
const files = fs.readdirSync(folder).filter((name) => /^\d{4}-/.test(name));
const index = fs.readFileSync(path.join(folder, "README.md"), "utf8");

test.each(files)("%s has the right form, and a line in the index", (file) => {
  const text = fs.readFileSync(path.join(folder, file), "utf8");
  const [, number, title] = /^# (\d+)\. (.+)\n/.exec(text) ?? [];
  const [, status, date] = /^- Status: (.+)\n- Date: (\d{4}-\d\d-\d\d)\n/m.exec(text) ?? [];
  expect(file.startsWith(String(number).padStart(4, "0"))).toBe(true);
  expect(text.match(/^## .+$/gm)).toEqual(["## Context", "## Decision", "## Consequences"]);
  const row = index.split("\n").find((line) => line.includes(`](${file})`));
  expect(row?.split("|").map((cell) => cell.trim())).toEqual(["", number, `[${title}](${file})`, status, date, ""]);
});

test("each decision has its own number", () => {
  expect(new Set(files.map((file) => file.slice(0, 4))).size).toBe(files.length);
});

test("the index has one row for each, in their order", () => {
  const numbers = [...index.matchAll(/^\| (\d+) /gm)].map(([, number]) => Number(number));
  expect(numbers).toEqual(files.map((file) => Number(file.slice(0, 4))).sort((a, b) => a - b));
});
