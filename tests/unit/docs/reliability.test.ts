import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { titleOf } from "../../reliability/row";
import { rows } from "../../reliability/rows";
import { deadServer } from "../../reliability/server";

const repo = path.join(__dirname, "../../..");

test("docs/reliability.md is what its rows say; `npm run docs` writes it", () => {
  // A process of its own: the formatter is an ES module, which jest does not load.
  const tsx = path.join(repo, "node_modules/.bin/tsx");
  const { status, stderr } = spawnSync(tsx, ["scripts-dev/docs.ts", "--check"], { cwd: repo, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
}, 60_000);

test("no two rows are about the same fault at the same place", () => {
  const titles = rows.map((row) => `${row.phase}: ${titleOf(row)}`);
  expect(titles.filter((title, at) => titles.indexOf(title) !== at)).toEqual([]);
});

test("a row that a person does not notice needs nothing done, and every other one something", () => {
  for (const row of rows)
    expect([titleOf(row), row.sees.length === 0]).toEqual([titleOf(row), row.remedy === "nothing"]);
});

test("what a double of a script says in a row, the script says", () => {
  const script = fs.readFileSync(path.join(repo, "scripts", `${deadServer.step}.sh`), "utf8");
  for (const piece of deadServer.sees) expect(script).toContain(piece);
});
